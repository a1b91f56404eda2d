//! A command that failed, and what was done for it.

use iotrace::analysis::describe::error_cause;
use iotrace::model::{CommandError, ErrorCause, RecoveryMark, RecoveryStep, Sense};
use schemars::JsonSchema;
use serde::Serialize;

/// A command that failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CommandErrorJson {
    /// Number of the command.
    command: u64,
    /// Why, in words.
    error: String,
    /// What was done for it, in order.
    recovery: Vec<RecoveryStep>,
    /// The sense data with which the device answered; null if there was none.
    sense: Option<Sense>,
}

impl From<&CommandError> for CommandErrorJson {
    fn from(CommandError { command, cause, recovery }: &CommandError) -> Self {
        let sense = match cause {
            ErrorCause::Sense(sense) => Some(*sense),
            ErrorCause::Result(_) | ErrorCause::Timeout => None,
        };
        Self { command: *command, error: error_cause(*cause), recovery: recovery.clone(), sense }
    }
}

/// A step of the recovery of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecoveryJson {
    /// When: guest instructions.
    clock: u64,
    /// What was done.
    step: RecoveryStep,
}

impl From<&RecoveryMark> for RecoveryJson {
    fn from(RecoveryMark { step, clock }: &RecoveryMark) -> Self {
        Self { clock: *clock, step: *step }
    }
}

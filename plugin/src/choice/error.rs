//! What is wrong with `from=` and `only=`, and what there is in its place.

use super::NAME;
use iotrace_format::layer::Layer;
use iotrace_format::suggestion::did_you_mean;
use thiserror::Error;

/// What is chosen cannot be recorded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChoiceError {
    /// A part of `from=` is no pair.
    #[error("from={text}: {part:?}: expected FIELD=VALUE, as in sys.write:fd=3:count=59")]
    NotAPair {
        /// The argument.
        text: String,
        /// The part.
        part: String,
    },
    /// A value of `from=` is no number.
    #[error("from={text}: invalid number {value:?}: expected a number such as 59, -1 or 0x3b")]
    NotANumber {
        /// The argument.
        text: String,
        /// The value.
        value: String,
    },
    /// `from=` names nothing.
    #[error("from={text}: expected a stage or a function")]
    NoName {
        /// The argument.
        text: String,
    },
    /// The catalog has the function, this kernel has not.
    #[error("from={from}: function {function} not found in this kernel: {reason}")]
    NotInKernel {
        /// The argument.
        from: String,
        /// The function.
        function: String,
        /// Why it is not there.
        reason: String,
    },
    /// Neither a stage nor a function that is probed.
    #[error(
        "from={from}: no traced function of this name or stage{}; the stages are sys. and a system call's name, {}",
        did_you_mean(near.as_deref()), stages.join(", ")
    )]
    Unknown {
        /// The argument.
        from: String,
        /// The nearest stage.
        near: Option<String>,
        /// Stages that there are, besides those of system calls.
        stages: Vec<String>,
    },
    /// The function's events have no such word.
    #[error("from={from}: {name} has no field {word:?}; its fields are {}", there.join(" or "))]
    NoWord {
        /// The argument.
        from: String,
        /// The stage or function.
        name: String,
        /// The word.
        word: String,
        /// The words of each function that it can be.
        there: Vec<String>,
    },
    /// The function is of a layer that is not recorded.
    #[error("from={from}: capture= excludes its layer {layer}; add it")]
    LayerLeftOut {
        /// The argument.
        from: String,
        /// The layer.
        layer: Layer,
    },
    /// `only=` is no task.
    #[error("only={text}: expected task:NAME or task:PID")]
    NotATask {
        /// The argument.
        text: String,
    },
    /// `only=` with a name that no task can have.
    #[error("only={text}: task names have at most {} bytes", NAME)]
    LongName {
        /// The argument.
        text: String,
    },
    /// The profile does not tell where a task's name and numbers are.
    #[error("only=: unknown layout of task_struct in this kernel: tasks cannot be distinguished")]
    NoTaskLayout,
}

//! What is known once a trace was read: how it ends, what could not be read.

use super::Findings;
use crate::model::Definitions;
use iotrace_format::trace::walk::Damage;

/// How a trace ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its end chunk: complete.
    Complete,
    /// In the middle: everything before `offset` was read.
    Cut {
        /// Offset of the first byte that belongs to no whole chunk.
        offset: usize,
        /// Bytes from there to the end of the file.
        lost: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// What is known after the reading.
#[derive(Debug, Default)]
pub struct Finished {
    /// All definitions.
    pub definitions: Definitions,
    /// How the file ended; none if the visitor stopped before.
    pub end: Option<End>,
    /// Events given.
    pub events: u64,
    /// Chunks of kinds that this version does not know.
    pub unknown_chunks: u64,
    /// Definitions that were shortened: what they say is longer than any kernel has it.
    pub shortened: u64,
    /// Columns of events that this version does not know, over all blocks.
    pub unknown_columns: u64,
    /// Events whose clock was before that of the event given before them.
    pub out_of_order: u64,
    /// What could not be read, in the order of the file; not the end of one that was cut.
    pub damage: Vec<Damage>,
    /// Further places of damage.
    pub more_damage: u64,
    /// What does not fit together of a file that was read as a whole, from its beginning; its damage is among it.
    pub findings: Findings,
}

impl Finished {
    /// The file was cut: where, how many bytes are lost, and why.
    #[must_use]
    pub fn cut(&self) -> Option<(usize, usize, &str)> {
        match &self.end {
            Some(End::Cut { offset, lost, reason }) => Some((*offset, *lost, reason)),
            _ => None,
        }
    }

    /// What is missing of the file, for people: where it was cut or is damaged, and why.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        let cut = self.cut().map(|(offset, _, reason)| format!("is truncated at offset {offset}: {reason}"));
        let damage = self.damage.first().map(|first| {
            let Damage { offset, bytes, reason, .. } = first;
            let more = match self.damage.len() as u64 - 1 + self.more_damage {
                0 => String::new(),
                more => format!(", and {more} more ranges"),
            };
            format!("is damaged at offset {offset}, {bytes} bytes: {reason}{more}")
        });
        let both: Vec<_> = damage.into_iter().chain(cut).collect();
        (!both.is_empty()).then(|| both.join("; it "))
    }
}

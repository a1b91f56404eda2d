//! Where the units are.
//!
//! In: an offset into `.debug_info`. Out: the unit that holds it, and the offset in that.

use gimli::{DebugInfoOffset, UnitOffset};

use super::entry::{DebugUnit, Dwarf};
use crate::budget::WorkBudget;
use crate::types::WORK;

/// Where each unit begins in `.debug_info`, ascending.
#[derive(Debug)]
pub struct Units {
    starts: Vec<u64>,
    /// What may be spent on the entries of types in them.
    pub work: WorkBudget,
}

impl Default for Units {
    fn default() -> Self {
        Self { starts: Vec::new(), work: WorkBudget::new(WORK) }
    }
}

impl Units {
    /// Notes the next unit.
    pub fn push(&mut self, start: u64) {
        self.starts.push(start);
    }

    /// The unit that holds an offset, and the offset in it; `None` if there is none.
    pub fn open<'a>(
        &self,
        dwarf: &Dwarf<'a>,
        at: u64,
    ) -> Result<Option<(DebugUnit<'a>, UnitOffset)>, gimli::Error> {
        let after = self.starts.partition_point(|start| *start <= at);
        let start = after.checked_sub(1).and_then(|i| self.starts.get(i));
        let narrow = |offset: u64| usize::try_from(offset).ok();
        let Some((start, offset)) = start.and_then(|s| Some((narrow(*s)?, narrow(at - s)?))) else {
            return Ok(None);
        };
        let unit = dwarf.unit(dwarf.unit_header(DebugInfoOffset(start))?)?;
        Ok(Some((unit, UnitOffset(offset))))
    }
}

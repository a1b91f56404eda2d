//! What translated blocks count in advance.
//!
//! A run of instructions is counted at its first one. Where a run is left before its end (by a fault, or by an access
//! to a device, for which QEMU translates the instruction anew), the rest of it was counted and not executed.
//!
//! In: the blocks as they are translated. Out: that rest, by the number of a block and the address of the instruction
//! at which it was left.

use crate::budget::{Budget, Kept};
use std::sync::Arc;

/// The blocks that may be running.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Those translated before QEMU last threw all away: one of them may just have been left.
    before: Translated,
    now: Translated,
    budget: Arc<Budget>,
}

/// Blocks in the order of their numbers.
#[derive(Debug, Default)]
struct Translated {
    /// Number of the first.
    first: u64,
    /// Address of each block's first instruction, and where its lengths begin.
    blocks: Vec<(u64, usize)>,
    /// Of all instructions, the length in bytes; with [`END`] at the last of a run.
    lengths: Vec<u8>,
    /// Bytes of the budget.
    kept: usize,
}

/// No instruction has as many bytes.
const END: u8 = 0x80;

impl Blocks {
    /// None; there is room for what the budget has.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Adds a block by the lengths of its instructions in bytes, each with whether it is the last of a run; returns
    /// the block's number. Numbers begin with 1; 0 if there is no room for it.
    pub fn add(&mut self, address: u64, instructions: impl ExactSizeIterator<Item = (u8, bool)>) -> u64 {
        let now = &mut self.now;
        let bytes = 32 + 2 * instructions.len();
        if !self.budget.take(Kept::Block, bytes) {
            return 0;
        }
        now.kept += bytes;
        now.blocks.push((address, now.lengths.len()));
        now.lengths.extend(instructions.map(|(length, last)| if last { length | END } else { length }));
        now.first + now.blocks.len() as u64
    }

    /// How many instructions behind the one at `pc` were counted together with it in the block of this number; 0 if
    /// it is not in that block.
    pub fn rest(&self, number: u64, pc: u64) -> u64 {
        [&self.now, &self.before].into_iter().find_map(|translated| translated.rest(number, pc)).unwrap_or(0)
    }

    /// QEMU has thrown all blocks away, and translates them anew.
    pub fn flush(&mut self) {
        let first = self.now.first + self.now.blocks.len() as u64;
        self.budget.give_back(self.before.kept);
        self.before = std::mem::replace(&mut self.now, Translated { first, ..Translated::default() });
    }
}

impl Translated {
    fn rest(&self, number: u64, pc: u64) -> Option<u64> {
        let index = usize::try_from(number.checked_sub(self.first + 1)?).ok()?;
        let (address, begin) = *self.blocks.get(index)?;
        let end = self.blocks.get(index + 1).map_or(self.lengths.len(), |(_, begin)| *begin);
        let mut at = address;
        let mut lengths = self.lengths[begin..end].iter();
        let here = lengths.by_ref().find(|length| {
            let found = at == pc;
            at += u64::from(**length & !END);
            found
        })?;
        let last = |length: &u8| length & END != 0;
        if last(here) {
            return Some(0);
        }
        Some(lengths.position(last).map_or(0, |behind| behind as u64 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions of 1, 2, 3, 4 and 5 bytes; the first run has two of them.
    fn block(blocks: &mut Blocks) -> u64 {
        blocks.add(0x1000, (1..=5).map(|length| (length, [2, 5].contains(&length))))
    }

    #[test]
    fn what_is_left_of_a_run_is_known_by_the_instruction() {
        let mut blocks = Blocks::default();
        blocks.add(0x1000, std::iter::once((3, true)));
        let number = block(&mut blocks);
        let rests = [0x1000, 0x1001, 0x1003, 0x1006, 0x100a].map(|pc| blocks.rest(number, pc));
        assert_eq!(rests, [1, 0, 2, 1, 0]);
        assert_eq!([0xfff, 0x1002, 0x100f].map(|pc| blocks.rest(number, pc)), [0; 3]);
        assert_eq!([0, number + 1].map(|other| blocks.rest(other, 0x1000)), [0; 2]);
    }

    #[test]
    fn a_block_is_known_until_all_were_thrown_away_twice() {
        let mut blocks = Blocks::default();
        let old = block(&mut blocks);
        blocks.flush();
        let new = block(&mut blocks);
        assert_ne!(old, new);
        assert_eq!((blocks.rest(old, 0x1003), blocks.rest(new, 0x1003)), (2, 2));
        blocks.flush();
        assert_eq!((blocks.rest(old, 0x1003), blocks.rest(new, 0x1003)), (0, 2));
    }

    #[test]
    fn a_block_without_room_has_no_number() {
        let budget = Arc::new(Budget::new(100));
        let mut blocks = Blocks::new(budget);
        assert_eq!([1, 2, 0], [block(&mut blocks), block(&mut blocks), block(&mut blocks)]);
        blocks.flush();
        assert_eq!(block(&mut blocks), 0);
        blocks.flush();
        assert_eq!((blocks.rest(1, 0x1003), block(&mut blocks)), (0, 3));
    }
}

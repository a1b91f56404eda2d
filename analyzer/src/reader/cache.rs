//! Decoded blocks that are kept for the next pass over the same window.

use iotrace_format::trace::columns::EventBlock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Blocks that are kept: one has about 4 MiB.
const MOST: usize = 8;

/// Decoded blocks by their offsets in the file.
#[derive(Debug, Default)]
pub struct BlockCache {
    blocks: Mutex<BTreeMap<usize, Box<EventBlock>>>,
    taken: AtomicU64,
}

impl BlockCache {
    /// The block at an offset, if it is kept; it is no longer.
    pub fn take(&self, offset: usize) -> Option<Box<EventBlock>> {
        let block = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).remove(&offset);
        self.taken.fetch_add(u64::from(block.is_some()), Ordering::Relaxed);
        block
    }

    /// Blocks that were taken, and so not decoded again.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Keeps a block if there is room; otherwise it comes back.
    pub fn keep(&self, offset: usize, block: Box<EventBlock>) -> Option<Box<EventBlock>> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= MOST {
            return Some(block);
        }
        blocks.insert(offset, block);
        None
    }

    /// Forgets the blocks outside of some offsets.
    pub fn retain(&self, offsets: std::ops::RangeInclusive<usize>) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.retain(|offset, _| offsets.contains(offset));
    }
}

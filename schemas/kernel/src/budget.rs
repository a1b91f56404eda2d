//! A bound on what a file may cost, in steps or bytes.
//!
//! In: what each part costs. Out: whether that is still within the bound. A file of a kernel stays far below; one that was
//! made to cost much is refused instead of read for hours.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct WorkBudget(AtomicU64);

impl WorkBudget {
    /// So much may be spent.
    pub const fn new(amount: u64) -> Self {
        Self(AtomicU64::new(amount))
    }

    /// Spends some; `None` if there is not so much left, also from then on.
    pub fn spend(&self, amount: u64) -> Option<()> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(amount), Ordering::Relaxed);
        (amount <= left).then_some(())
    }

    /// Whether all was spent.
    pub fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_is_gone() {
        let budget = WorkBudget::new(3);
        assert_eq!((budget.spend(2), budget.is_spent()), (Some(()), false));
        assert_eq!((budget.spend(2), budget.is_spent()), (None, true));
        assert_eq!((budget.spend(1), budget.spend(0)), (None, Some(())));
    }
}

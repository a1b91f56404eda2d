//! Which functions and steps one side alone has.
//!
//! In: for the I/Os of each system call, how many of each side have something. Out: the [`Evidence`].

use super::rank::FEWEST;
use super::{Both, CostTest, Evidence};

/// In how many I/Os of each side something is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presence {
    /// I/Os that have it.
    pub ios: Both,
    /// All I/Os of a system call have it, of A and of B.
    is_everywhere: [bool; 2],
}

impl Presence {
    /// Of so many pairs of a system call, so many I/Os of each side have it.
    ///
    /// Of fewer than [`FEWEST`] I/Os all may have it by chance.
    pub fn add(&mut self, pairs: usize, have: [u64; 2]) {
        self.ios.add(Both { a: have[0], b: have[1] });
        for (is_everywhere, have) in self.is_everywhere.iter_mut().zip(have) {
            *is_everywhere |= pairs >= FEWEST && have == pairs as u64;
        }
    }

    /// How sure it is that the sides differ, with what a test says.
    pub fn evidence(&self, test: &CostTest) -> Evidence {
        match (self.ios, self.is_everywhere) {
            (Both { b: 0, .. }, [true, _]) => Evidence::OnlyInA,
            (Both { a: 0, .. }, [_, true]) => Evidence::OnlyInB,
            _ if test.differs => Evidence::BeyondChance,
            _ => Evidence::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(of_calls: &[(usize, [u64; 2])], differs: bool) -> Evidence {
        let mut presence = Presence::default();
        of_calls.iter().for_each(|(pairs, have)| presence.add(*pairs, *have));
        presence.evidence(&CostTest { differs, ..CostTest::default() })
    }

    #[test]
    fn one_side_has_what_all_its_ios_of_a_call_have_and_none_of_the_other() {
        assert_eq!(evidence(&[(8, [8, 0])], false), Evidence::OnlyInA);
        assert_eq!(evidence(&[(100, [3, 0]), (8, [8, 0])], false), Evidence::OnlyInA);
        assert_eq!(evidence(&[(8, [0, 8])], true), Evidence::OnlyInB);
        // An I/O of the other side has it, one of this has not, or there are few: that may be chance.
        for (of_calls, why) in [
            (&[(8, [8, 1])][..], "1"),
            (&[(8, [7, 0])], "7"),
            (&[(3, [3, 0])], "3"),
            (&[(4, [4, 0]), (4, [0, 1])], "4"),
        ] {
            assert_eq!(evidence(of_calls, false), Evidence::None, "{why}");
            assert_eq!(evidence(of_calls, true), Evidence::BeyondChance, "{why}");
        }
    }
}

//! Calls whose exits are missing do not pile up.

use super::*;

fn numbers(calls: &Calls<()>) -> (usize, u64) {
    (calls.all().len(), calls.all()[0].number)
}

/// Enters calls one in another, from clock and number `from` on; at no known place, or each below the last.
fn nest(calls: &mut Calls<()>, numbers: std::ops::RangeInclusive<u64>, top: u64) {
    for number in numbers {
        let stack = if top == 0 { 0 } else { top - 8 * number };
        enter(calls, number, stack, (number % 100) as u16, 0xa);
    }
}

#[test]
fn of_too_many_open_calls_the_oldest_are_dropped_and_counted() {
    const MOST: u64 = (DEEPEST + SPARE) as u64;
    for top in [0, S + 0x3f00] {
        let mut calls = Calls::default();
        nest(&mut calls, 1..=MOST, top);
        assert_eq!((numbers(&calls), calls.without_exit), ((576, 1), 0));
        nest(&mut calls, MOST + 1..=MOST + 1, top);
        assert_eq!((numbers(&calls), calls.without_exit), ((513, 65), 64));
        nest(&mut calls, MOST + 2..=MOST + 65, top);
        assert_eq!((numbers(&calls), calls.without_exit), ((513, 129), 128));
    }
}

// Kernel stacks are aligned to their size: the last word of one and the first of the next are of two.
#[test]
fn what_is_open_on_another_stack_stays_open() {
    let size = Layout::default().stack_size;
    let unseen = vec![(1, Ending::Unseen)];
    for (below, above, ended) in
        [(S, S + size - 8, unseen), (S - 8, S, vec![]), (S - 8, S + size - 8, vec![]), (S, S + size, vec![])]
    {
        let mut calls = Calls::default();
        enter(&mut calls, 0, below, 1, 0xa);
        assert_eq!(enter(&mut calls, 10, above, 2, 0xb), ended, "{below:#x} {above:#x}");
    }
}

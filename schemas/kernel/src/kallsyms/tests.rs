//! Tables written the way `scripts/kallsyms.c` of each kernel writes them.

use proptest::prelude::*;

use super::*;
use crate::Bytes;
use crate::testing::kallsyms::{ALL, BASE, TEXT, V5_10, symbols, write};

fn search(bytes: Vec<u8>) -> KallsymsResult {
    let text = Loaded { address: TEXT, bytes: Bytes::from(vec![0xcc; 16]) };
    let tables = Loaded { address: BASE, bytes: Bytes::from(bytes) };
    let parts = [text, tables];
    find(&parts, |address| parts.iter().find_map(|p| p.bytes.get(address.checked_sub(p.address)? as usize..)))
}

#[test]
fn reads_every_layout() {
    for layout in ALL {
        let KallsymsResult::Table(table) = search(write(layout)) else { panic!("{layout:?}: not found") };
        let found: Vec<_> = table.iter().map(|s| (s.name.to_string(), s.addr)).collect();
        let expected: Vec<_> = symbols().into_iter().map(|(t, a)| (t[1..].to_string(), a)).collect();
        assert_eq!(found, expected, "{layout:?}");
        let first = table.variants("end_io").next().expect("there");
        assert_eq!((first.size, first.kind), (0x20, SymbolKind::Function));
    }
}

#[test]
fn a_banner_that_is_not_there_is_no_table() {
    let mut bytes = write(V5_10);
    bytes[0] = b'l';
    assert!(matches!(search(bytes), KallsymsResult::Nothing { candidates: 1 }));
    assert!(matches!(search(b"0\x001\x002\x003\0".to_vec()), KallsymsResult::Nothing { candidates: 0 }));
}

#[test]
fn the_search_ends_when_its_steps_are_spent() {
    let bytes = write(V5_10);
    let tokens = tokens::find(&bytes).pop().expect("there");
    let search = |steps| {
        let budget = WorkBudget::new(steps);
        (names::find(&bytes, &tokens, &budget).is_some(), budget.is_spent())
    };
    assert_eq!((search(STEPS), search(100)), ((true, false), (false, true)));
}

proptest! {
    #[test]
    fn never_panics(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut bytes = write(ALL[which]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !keep { bytes.truncate(cut.index(bytes.len())); }
        let _ = search(bytes);
    }
}

//! The summary of traces made by hand.

use super::text::{write_summary, write_table};
use crate::view::text::Style;
use iotrace::Session;
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy, breakdown};
use iotrace::analysis::records::RecordQuery;
use iotrace_synthetic_guest::{SyntheticGuest, buffered, direct_write, failing, small};
use unicode_width::UnicodeWidthStr;

fn of(guest: &SyntheticGuest) -> Breakdown {
    let session = Session::from_bytes(guest.file()).unwrap();
    breakdown(&session, &RecordQuery::default(), &mut |_| {}).unwrap()
}

fn page(guest: &SyntheticGuest) -> String {
    let mut out = Vec::new();
    write_summary(&mut out, &of(guest), false, Style { colour: false, width: None }).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_page_is_24_lines_of_80_columns() {
    for guest in [small(), direct_write(), buffered(), failing()] {
        let page = page(&guest);
        assert!(page.lines().count() <= 24 && page.lines().all(|line| line.width() <= 80), "{page}");
    }
}

#[test]
fn the_page_of_a_direct_write() {
    insta::assert_snapshot!(page(&direct_write()));
}

#[test]
fn own_parts_add_up() {
    for guest in [small(), direct_write(), buffered()] {
        let found = of(&guest);
        for by in [BreakdownBy::Function, BreakdownBy::Layer, BreakdownBy::Task] {
            let sum: u64 = found.rows(by).iter().map(|row| row.own).sum();
            assert_eq!(sum, found.instructions, "{by:?}");
        }
        let (begin, end) = found.workload.unwrap_or((0, None));
        let last = guest.events.iter().map(|event| event.clock).max().unwrap();
        assert_eq!(found.instructions, end.unwrap_or(last) - begin);
        for by in BreakdownBy::ALL {
            assert!(found.rows(by).iter().all(|row| row.own <= row.total), "{by:?}");
        }
    }
}

#[test]
fn the_tables_of_a_direct_write() {
    let (found, mut out) = (of(&direct_write()), Vec::new());
    for by in BreakdownBy::ALL {
        write_table(&mut out, &found, by, Style { colour: false, width: None }).unwrap();
    }
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

//! Listings of guests drawn by hand.

mod contexts;
mod handovers;
mod lines;
mod names;

use super::*;
use iotrace_synthetic_guest::SyntheticGuest;

fn listing(guest: &SyntheticGuest, wanted: &Wanted) -> Path {
    path(&Session::from_bytes(guest.file()).unwrap(), wanted, &mut |_| {}).unwrap().unwrap()
}

/// A line's depth and its function, without what all names of drawn functions end with.
fn name(line: &Line) -> (usize, &str) {
    (line.depth, line.name.trim_end_matches("_function"))
}

/// Of each segment its function and its lines.
fn names(path: &Path) -> Vec<Vec<(usize, &str)>> {
    path.segments.iter().map(|segment| segment.lines.iter().map(name).collect()).collect()
}

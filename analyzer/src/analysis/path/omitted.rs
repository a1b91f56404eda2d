//! Calls that are not shown, added up in the call around them that is.
//!
//! In: what each of them cost. Out: a line behind the call around them, one level deeper, so that what that call executed
//! itself and the lines inside it add up to its total.

use super::Line;

/// Calls that are not shown inside one that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OmittedCalls {
    /// How many.
    pub calls: u64,
    /// Instructions in them, each without those in the calls it made.
    pub own: u64,
    /// When the first began and the last was over, in instructions.
    span: Option<(u64, u64)>,
}

impl OmittedCalls {
    /// So many calls, from a clock to another.
    pub fn add(&mut self, calls: u64, own: u64, (begin, end): (u64, u64)) {
        self.calls += calls;
        self.own += own;
        let (from, to) = self.span.unwrap_or((begin, end));
        self.span = Some((from.min(begin), to.max(end)));
    }

    /// A line of a listing is not shown.
    pub fn add_line(&mut self, line: &Line) {
        if line.omitted || !line.instant {
            self.add(line.times, line.own, (line.clock, line.end.unwrap_or(line.clock)));
        }
    }

    /// The line that stands for them at a depth; none if there are none.
    pub fn line(&self, depth: usize) -> Option<Line> {
        let (clock, end) = self.span?;
        Some(Line {
            depth,
            omitted: true,
            instant: true,
            clock,
            end: Some(end),
            total: self.own,
            own: self.own,
            times: self.calls,
            ..Line::default()
        })
    }
}

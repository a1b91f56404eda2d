//! A listing at the height one wants.

use super::fold::fold;
use super::omitted::OmittedCalls;
use super::{Line, Segment};
use crate::model::CallId;
use iotrace_format::layer::Layer;
use rustc_hash::FxHashMap;

/// What is shown of a listing. By default everything, with repeated calls in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingShape {
    /// At most so many levels of calls.
    pub depth: Option<usize>,
    /// Only functions of these layers; empty: of all.
    pub layers: Vec<Layer>,
    /// Functions inside which nothing is shown.
    pub collapse: Vec<String>,
    /// Repeated calls stay apart.
    pub unfolded: bool,
}

/// A call around the line at hand.
#[derive(Debug, Clone, Copy)]
struct Around {
    depth: usize,
    /// It is shown.
    shown: bool,
    /// Nothing inside it is shown.
    closed: bool,
    /// Its place among all shown lines, if it is one of them.
    at: Option<usize>,
}

/// The segments with the lines that are shown; those without any are left out. Where something was handed over
/// in a call that is not shown, the call around it that is says so, and what was executed there is a line inside that one.
#[must_use]
pub fn shape(segments: &[Segment], shape: &ListingShape) -> Vec<Segment> {
    // A context that goes on does so inside the calls that are open since its last part.
    let mut contexts = FxHashMap::<CallId, Vec<Around>>::default();
    let (mut chosen, mut ends) = (ChosenLines::default(), Vec::with_capacity(segments.len()));
    for segment in segments {
        let around = contexts.entry(segment.root).or_default();
        chosen.choose(&segment.lines, shape, around);
        ends.push(chosen.shown.len());
    }
    let mut lines = chosen.shown.into_iter().zip(chosen.omitted);
    let mut shaped = Vec::new();
    let mut begin = 0;
    for (segment, end) in segments.iter().zip(ends) {
        let shown = with_omitted(lines.by_ref().take(end - begin));
        begin = end;
        let lines = if shape.unfolded { shown } else { fold(&shown) };
        if !lines.is_empty() {
            shaped.push(Segment { lines, ..segment.clone() });
        }
    }
    shaped
}

/// Each line, and the one that stands for what is not shown inside it.
fn with_omitted(lines: impl Iterator<Item = (Line, OmittedCalls)>) -> Vec<Line> {
    let mut shown = Vec::new();
    for (line, omitted) in lines {
        let more = omitted.line(line.depth + 1);
        shown.push(line);
        shown.extend(more);
    }
    shown
}

/// The lines that are shown of all segments.
#[derive(Debug, Default)]
struct ChosenLines {
    shown: Vec<Line>,
    /// For each of them, what is not shown inside it.
    omitted: Vec<OmittedCalls>,
}

impl ChosenLines {
    /// Takes in the lines of a segment, with the calls around its first one.
    fn choose(&mut self, lines: &[Line], shape: &ListingShape, around: &mut Vec<Around>) {
        let begin = self.shown.len();
        for line in lines {
            while around.pop_if(|call| call.depth >= line.depth).is_some() {}
            let above = around.iter().filter(|call| call.shown).count();
            // What was omitted before is added to what is now.
            let fits = !line.omitted
                && !around.iter().any(|call| call.closed)
                && shape.depth.is_none_or(|depth| above < depth)
                && (shape.layers.is_empty() || line.layer.is_some_and(|layer| shape.layers.contains(&layer)));
            if fits {
                let depth = if shape.layers.is_empty() { line.depth } else { above };
                self.shown.push(Line { depth, ..line.clone() });
                self.omitted.push(OmittedCalls::default());
            } else {
                self.hide(line, around, begin);
            }
            let closed = shape.collapse.contains(&line.name);
            let at = fits.then(|| self.shown.len() - 1);
            around.push(Around { depth: line.depth, shown: fits, closed, at });
        }
    }

    /// A line is not shown: the one around it that is says what was executed in it, and the one of the segment at hand what
    /// was handed over.
    fn hide(&mut self, line: &Line, around: &[Around], begin: usize) {
        // Of an inlined function it is not known what it executed: that is its caller's.
        let mut shown = around.iter().rev().filter_map(|call| call.at);
        if let Some(at) = shown.clone().find(|at| !self.shown[*at].instant) {
            self.omitted[at].add_line(line);
        }
        if let Some(at) = shown.find(|at| *at >= begin) {
            self.shown[at].handovers.extend(&line.handovers);
            self.shown[at].stops.extend(&line.stops);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn line(depth: usize, name: &str, marked: bool) -> Line {
        Line {
            call: Some(1),
            depth,
            name: name.into(),
            total: 10,
            own: 5,
            marked,
            times: 1,
            ..Line::default()
        }
    }

    #[test]
    fn what_is_hidden_hands_its_notes_up() {
        let mut lines =
            vec![line(0, "f", false), line(1, "g", false), line(2, "h", false), line(1, "k", false)];
        lines[1].layer = Some(Layer::Vfs);
        lines[2].stops = vec![(1, 2)];
        let names = |shaped: &[Line]| {
            shaped.iter().map(|l| (l.depth, l.name.clone(), l.stops.len())).collect::<Vec<_>>()
        };
        let shape = |lines: &[Line], shape: &ListingShape| {
            let mut chosen = ChosenLines::default();
            chosen.choose(lines, shape, &mut Vec::new());
            chosen.shown
        };
        let depth = shape(&lines, &ListingShape { depth: Some(1), ..ListingShape::default() });
        assert_eq!(names(&depth), [(0, "f".into(), 1)]);
        let layer = shape(&lines, &ListingShape { layers: vec![Layer::Vfs], ..ListingShape::default() });
        assert_eq!(names(&layer), [(0, "g".into(), 1)]);
        let collapsed =
            shape(&lines, &ListingShape { collapse: vec!["g".into()], ..ListingShape::default() });
        assert_eq!(names(&collapsed), [(0, "f".into(), 0), (1, "g".into(), 1), (1, "k".into(), 0)]);
    }
}

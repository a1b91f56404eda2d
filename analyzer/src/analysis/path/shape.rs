//! A listing at the height one wants.

use super::{Line, Segment};
use crate::model::CallId;
use rustc_hash::FxHashMap;

/// What is shown of a listing. By default everything, with repeated calls in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// At most so many levels of calls.
    pub depth: Option<usize>,
    /// Only functions of these layers; empty: of all.
    pub layers: Vec<String>,
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
    /// Its place among the shown lines of the segment at hand, if it is one of them.
    at: Option<usize>,
}

/// The segments with the lines that are shown; those without any are left out. Where something was handed over
/// in a call that is not shown, the call around it that is says so.
#[must_use]
pub fn shape(segments: &[Segment], shape: &Shape) -> Vec<Segment> {
    // A context that goes on does so inside the calls that are open since its last part.
    let mut contexts = FxHashMap::<CallId, Vec<Around>>::default();
    let mut shaped = Vec::new();
    for segment in segments {
        let around = contexts.entry(segment.root).or_default();
        around.iter_mut().for_each(|call| call.at = None);
        let shown = choose(&segment.lines, shape, around);
        let lines = if shape.unfolded { shown } else { fold(&shown) };
        if !lines.is_empty() {
            shaped.push(Segment { lines, ..segment.clone() });
        }
    }
    shaped
}

fn choose(lines: &[Line], shape: &Shape, around: &mut Vec<Around>) -> Vec<Line> {
    let mut shown: Vec<Line> = Vec::new();
    for line in lines {
        while around.pop_if(|call| call.depth >= line.depth).is_some() {}
        let above = around.iter().filter(|call| call.shown).count();
        let fits = !around.iter().any(|call| call.closed)
            && shape.depth.is_none_or(|depth| above < depth)
            && (shape.layers.is_empty() || shape.layers.contains(&line.layer));
        if fits {
            let depth = if shape.layers.is_empty() { line.depth } else { above };
            shown.push(Line { depth, ..line.clone() });
        } else if let Some(at) = around.iter().rev().find_map(|call| call.at) {
            shown[at].handovers.extend(&line.handovers);
            shown[at].stops.extend(&line.stops);
        }
        let closed = shape.collapse.contains(&line.name);
        around.push(Around { depth: line.depth, shown: fits, closed, at: fits.then(|| shown.len() - 1) });
    }
    shown
}

/// Puts calls that came in a row, with the same calls inside, into one line. Lines about an object stay.
fn fold(lines: &[Line]) -> Vec<Line> {
    let mut folded: Vec<Line> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let block = block(lines, at);
        let mut next = at + block;
        let mut first = [&lines[at..=at], &fold(&lines[at + 1..next])].concat();
        while next < lines.len()
            && alike(&lines[at..at + block], &lines[next..next + self::block(lines, next)])
        {
            let more = [&lines[next..=next], &fold(&lines[next + 1..next + block])].concat();
            first.iter_mut().zip(&more).for_each(|(line, more)| line.add(more));
            next += block;
        }
        folded.append(&mut first);
        at = next;
    }
    folded
}

/// Length of a line and of what is inside it.
fn block(lines: &[Line], at: usize) -> usize {
    let inside = lines[at + 1..].iter().take_while(|line| line.depth > lines[at].depth);
    1 + inside.count()
}

fn alike(a: &[Line], b: &[Line]) -> bool {
    let same = |(a, b): (&Line, &Line)| {
        a.name == b.name && a.depth == b.depth && a.inlined == b.inlined && !a.matters() && !b.matters()
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

impl Line {
    /// It is about an object, or where something was handed over.
    fn matters(&self) -> bool {
        self.marked || !self.handovers.is_empty() || !self.stops.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.total += other.total;
        self.own += other.own;
        self.end = other.end;
        if self.words != other.words {
            self.words.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(depth: usize, name: &str, marked: bool) -> Line {
        Line {
            call: Some(1),
            depth,
            name: name.into(),
            instant: false,
            inlined: false,
            layer: String::new(),
            stage: String::new(),
            source: Default::default(),
            site: Default::default(),
            words: Vec::new(),
            clock: 0,
            end: None,
            total: 10,
            own: 5,
            ending: None,
            returned: None,
            marked,
            times: 1,
            handovers: Vec::new(),
            stops: Vec::new(),
        }
    }

    fn folded(lines: &[(usize, &str, bool)]) -> Vec<(usize, String, u64, u64)> {
        let lines: Vec<_> = lines.iter().map(|(depth, name, marked)| line(*depth, name, *marked)).collect();
        fold(&lines).into_iter().map(|l| (l.depth, l.name, l.times, l.total)).collect()
    }

    #[test]
    fn calls_in_a_row_with_the_same_calls_inside_are_one() {
        let lines = [
            (0, "f", false),
            (1, "g", false),
            (2, "h", false),
            (2, "h", false),
            (1, "g", false),
            (2, "h", false),
            (2, "h", false),
            (1, "k", false),
        ];
        let expected = [(0, "f", 1, 10), (1, "g", 2, 20), (2, "h", 4, 40), (1, "k", 1, 10)];
        assert_eq!(folded(&lines), expected.map(|(d, n, t, c)| (d, n.to_owned(), t, c)));
    }

    #[test]
    fn what_is_hidden_hands_its_notes_up() {
        let mut lines =
            vec![line(0, "f", false), line(1, "g", false), line(2, "h", false), line(1, "k", false)];
        lines[1].layer = "vfs".into();
        lines[2].stops = vec![(1, 2)];
        let names = |shaped: &[Line]| {
            shaped.iter().map(|l| (l.depth, l.name.clone(), l.stops.len())).collect::<Vec<_>>()
        };
        let shape = |lines: &[Line], shape: &Shape| choose(lines, shape, &mut Vec::new());
        let depth = shape(&lines, &Shape { depth: Some(1), ..Shape::default() });
        assert_eq!(names(&depth), [(0, "f".into(), 1)]);
        let layer = shape(&lines, &Shape { layers: vec!["vfs".into()], ..Shape::default() });
        assert_eq!(names(&layer), [(0, "g".into(), 1)]);
        let collapsed = shape(&lines, &Shape { collapse: vec!["g".into()], ..Shape::default() });
        assert_eq!(names(&collapsed), [(0, "f".into(), 0), (1, "g".into(), 1), (1, "k".into(), 0)]);
    }

    #[test]
    fn what_differs_or_matters_stays_apart() {
        let lines = [(0, "f", false), (0, "f", true), (0, "f", false), (1, "g", false)];
        assert_eq!(folded(&lines).len(), 4);
    }
}

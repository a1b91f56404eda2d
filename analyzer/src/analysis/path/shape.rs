//! A listing at the height one wants.

use super::fold::fold;
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
    /// Its place among the shown lines of the segment at hand, if it is one of them.
    at: Option<usize>,
}

/// The segments with the lines that are shown; those without any are left out. Where something was handed over
/// in a call that is not shown, the call around it that is says so.
#[must_use]
pub fn shape(segments: &[Segment], shape: &ListingShape) -> Vec<Segment> {
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

fn choose(lines: &[Line], shape: &ListingShape, around: &mut Vec<Around>) -> Vec<Line> {
    let mut shown: Vec<Line> = Vec::new();
    for line in lines {
        while around.pop_if(|call| call.depth >= line.depth).is_some() {}
        let above = around.iter().filter(|call| call.shown).count();
        let fits = !around.iter().any(|call| call.closed)
            && shape.depth.is_none_or(|depth| above < depth)
            && (shape.layers.is_empty() || line.layer.is_some_and(|layer| shape.layers.contains(&layer)));
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn line(depth: usize, name: &str, marked: bool) -> Line {
        Line {
            call: Some(1),
            depth,
            name: name.into(),
            instant: false,
            inlined: false,
            layer: None,
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

    #[test]
    fn what_is_hidden_hands_its_notes_up() {
        let mut lines =
            vec![line(0, "f", false), line(1, "g", false), line(2, "h", false), line(1, "k", false)];
        lines[1].layer = Some(Layer::Vfs);
        lines[2].stops = vec![(1, 2)];
        let names = |shaped: &[Line]| {
            shaped.iter().map(|l| (l.depth, l.name.clone(), l.stops.len())).collect::<Vec<_>>()
        };
        let shape = |lines: &[Line], shape: &ListingShape| choose(lines, shape, &mut Vec::new());
        let depth = shape(&lines, &ListingShape { depth: Some(1), ..ListingShape::default() });
        assert_eq!(names(&depth), [(0, "f".into(), 1)]);
        let layer = shape(&lines, &ListingShape { layers: vec![Layer::Vfs], ..ListingShape::default() });
        assert_eq!(names(&layer), [(0, "g".into(), 1)]);
        let collapsed =
            shape(&lines, &ListingShape { collapse: vec!["g".into()], ..ListingShape::default() });
        assert_eq!(names(&collapsed), [(0, "f".into(), 0), (1, "g".into(), 1), (1, "k".into(), 0)]);
    }
}

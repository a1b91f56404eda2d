//! Trees drawn by hand, and how they differ.

use super::align::align;
use super::compare::Group;
use super::handovers::handovers;
use super::names::FunctionNames;
use super::places::places;
use super::test::SampleValues;
use super::tree::Tree;
use super::{Both, CallChange, CallDiff, FlameNode, HandoverChangeKind};
use iotrace_format::definition::Probe;
use iotrace_format::definition::by_name;
use iotrace_format::layer::Layer;

/// Functions named by the words of a drawing.
#[derive(Default)]
struct Drawing(FunctionNames);

impl Drawing {
    /// A tree: a function on each line, indented by two blanks for each function around it, then its own
    /// instructions. A root has its stage before it: `sys.write:write 5`.
    fn tree(&mut self, drawing: &str) -> Tree {
        let mut tree = Tree::default();
        let mut around: Vec<u32> = Vec::new();
        for line in drawing.lines().filter(|line| !line.trim().is_empty()) {
            let depth = (line.len() - line.trim_start().len()) / 2;
            let (name, own) = line.trim().split_once(' ').unwrap();
            let (stage, name) = name.split_once(':').unwrap_or(("", name));
            around.truncate(depth);
            let at = tree.enter(around.last().copied(), self.0.define(&probe(name, stage)));
            tree.leave(at, own.parse().unwrap());
            around.push(at);
        }
        tree
    }

    fn group(&mut self, a: &str, b: &str) -> Group<'static> {
        let trees = [self.tree(a), self.tree(b)];
        let by_recording = trees.each_ref().map(|tree| vec![tree.clone()]);
        Group { syscall: "fsync", pairs: Vec::new(), by_recording, trees }
    }

    fn aligned(&mut self, a: &str, b: &str) -> Vec<FlameNode> {
        let (a, b) = (self.tree(a), self.tree(b));
        align(&a, &b, &self.0)
    }

    fn places(&mut self, a: &str, b: &str) -> Vec<CallDiff> {
        let nodes = self.aligned(a, b);
        places(&nodes, &self.group(a, b))
    }
}

fn probe(name: &str, stage: &str) -> Probe {
    Probe {
        id: 64,
        function: name.into(),
        symbol: name.into(),
        layer: Layer::Block,
        stage: by_name::stage(stage),
        ..Probe::default()
    }
}

/// Function, the one around it, and how it changed.
fn short(nodes: &[FlameNode]) -> Vec<(&str, &str, Option<&CallChange>)> {
    let around = |node: &FlameNode| node.parent.map_or("", |at| nodes[at].function.as_str());
    nodes.iter().map(|node| (node.function.as_str(), around(node), node.change.as_ref())).collect()
}

#[test]
fn both_trees_are_one_with_sums_and_marks() {
    let a = "root 5\n  gone 20\n    deep 1\n  kept 30";
    let b = "root 7\n  kept 30\n    new 4\n    newer 3";
    let nodes = Drawing::default().aligned(a, b);
    let (gone, new) = (Some(&CallChange::Gone), Some(&CallChange::New));
    let expected = [
        ("root", "", None),
        ("gone", "root", gone),
        ("deep", "gone", gone),
        ("kept", "root", None),
        ("new", "kept", new),
        ("newer", "kept", new),
    ];
    assert_eq!(short(&nodes), expected);
    assert_eq!((nodes[0].own, nodes[0].total), (Both { a: 5, b: 7 }, Both { a: 56, b: 44 }));
    let places = Drawing::default().places(a, b);
    let listed: Vec<_> = places.iter().map(|place| (place.function.as_str(), place.inside)).collect();
    assert_eq!(listed, [("root", 0), ("gone", 1), ("new", 0), ("newer", 0)]);
}

#[test]
fn a_function_put_around_others_leaves_them_what_they_are() {
    let (direct, around) =
        ("root 1\n  f 10\n  g 20\n  h 3", "root 1\n  outer 2\n    inner 2\n      f 10\n  g 20\n  h 3");
    let nodes = Drawing::default().aligned(direct, around);
    let inner = vec!["f".to_owned()];
    let new = CallChange::Inserted { inner: inner.clone() };
    let expected = [
        ("root", "", None),
        ("outer", "root", Some(&new)),
        ("inner", "outer", Some(&new)),
        ("f", "inner", None),
        ("g", "root", None),
        ("h", "root", None),
    ];
    assert_eq!(short(&nodes), expected);
    assert_eq!(nodes[3].own, Both { a: 10, b: 10 });

    let back = Drawing::default().aligned(around, direct);
    let gone = CallChange::Removed { inner };
    let expected = [
        ("root", "", None),
        ("f", "root", None),
        ("outer", "root", Some(&gone)),
        ("inner", "outer", Some(&CallChange::Gone)),
        ("g", "root", None),
        ("h", "root", None),
    ];
    assert_eq!(short(&back), expected);
    assert_eq!(back[1].own, Both { a: 10, b: 10 });
}

#[test]
fn a_function_is_known_under_another_name_by_its_place_and_its_callees() {
    let a = "root 1\n  before 1\n  old 5\n    x 1\n    y 1\n  after 1\n  leaf 2\n  last 1";
    let b = "root 1\n  before 1\n  other 3\n  renamed 6\n    x 1\n    y 1\n    z 1\n  after 1\n  twig 2\n  last 1";
    let nodes = Drawing::default().aligned(a, b);
    let from = |name: &str| CallChange::Renamed { from: name.into() };
    let (old, leaf) = (from("old"), from("leaf"));
    let changed = short(&nodes).into_iter().filter(|node| node.2.is_some()).collect::<Vec<_>>();
    let expected = [
        ("other", "root", Some(&CallChange::New)),
        ("renamed", "root", Some(&old)),
        ("z", "renamed", Some(&CallChange::New)),
        ("twig", "root", Some(&leaf)),
    ];
    assert_eq!(changed, expected);
}

#[test]
fn a_function_that_is_gone_here_and_new_there_has_moved() {
    let (a, b) = ("root 1\n  p 1\n    f 5\n  q 1", "root 1\n  p 1\n  q 1\n    f 6");
    let places = Drawing::default().places(a, b);
    let [place] = &places[..] else { panic!("{places:?}") };
    assert_eq!(place.change, CallChange::Moved { from: vec!["root".into(), "p".into()] });
    assert_eq!((place.function.as_str(), place.own), ("f", Both { a: 5, b: 6 }));
}

#[test]
fn what_became_asynchronous_is_told_as_such() {
    let mut drawing = Drawing::default();
    let a = "sys.fsync:fsync 1\n  run_queue 5\n    dispatch 9\n  finish 1";
    let b = "sys.fsync:fsync 1\n  finish 1\nwork.run:process_one_work 2\n  run_work 1\n    run_queue 5\n      dispatch 9";
    let group = drawing.group(a, b);
    let changes = handovers(&group, &drawing.0, 1);
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((change.function.as_str(), change.kind), ("run_queue", HandoverChangeKind::Asynchronous));
    assert_eq!((change.changed, change.inside), (1, 1));
    let contexts: Vec<_> = change.contexts.iter().map(|c| (c.context.as_str(), c.calls)).collect();
    assert_eq!(contexts, [("task", Both { a: 1, b: 0 }), ("work run_work", Both { a: 0, b: 1 })]);
    let [a, b] = group.trees;
    let back = Group { by_recording: [vec![b.clone()], vec![a.clone()]], trees: [b, a], ..group };
    assert_eq!(handovers(&back, &drawing.0, 1)[0].kind, HandoverChangeKind::Synchronous);
}

#[test]
fn a_median_that_is_of_the_one_kind_or_the_other_is_no_difference() {
    let values = |of: [[u64; 5]; 2]| {
        let mut values = SampleValues::default();
        for (side, of_io) in of.into_iter().enumerate() {
            (0..4).for_each(|recording| of_io.iter().for_each(|value| values.add(side, recording, *value)));
        }
        values.test(4)
    };
    let flipped = values([[10, 10, 40, 40, 40], [10, 10, 10, 55, 55]]);
    assert_eq!((flipped.difference, flipped.differs), (-30, false));
    assert!(values([[10, 10, 10, 40, 40], [15, 15, 15, 45, 45]]).differs);
}

//! From the events of contexts to the lines of a listing.

use super::collect::{Activity, EventNode, SubjectEvents};
use super::omitted::OmittedCalls;
use super::{Line, Segment};
use crate::analysis::describe::{Describer, FieldForm, Wording, returned};
use crate::analysis::objects::Objects;
use crate::analysis::subject::Subject;
use crate::context::{DEEPEST, TaskHistory};
use crate::hash::{Map, Set};
use crate::model::{Definitions, Level, Task};
use iotrace_format::definition::At;
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use iotrace_format::stage::{Begins, Stage};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Most words that a line shows.
const WORDS: usize = 10;

/// The kept lines of all contexts in the order of time, one segment for each run in one context.
pub fn segments(
    collected: &SubjectEvents,
    definitions: &Definitions,
    wording: &Wording,
    subject: &Subject,
) -> Vec<Segment> {
    let objects = Objects::new(&subject.bios, &subject.requests);
    let tasks = &collected.tasks;
    let writer = Writer { definitions, wording, tasks, objects };
    let mut order: Vec<(u64, usize, usize, usize)> = Vec::new();
    let mut omitted = Vec::new();
    for (at, activity) in collected.activities.iter().enumerate() {
        let (kept, depths) = (kept(activity), writer.depths(activity));
        let nodes = activity.nodes.iter().enumerate().filter(|(i, _)| kept[*i]);
        order.extend(nodes.map(|(i, node)| (node.order, at, i, depths[i])));
        omitted.push(omitted_calls(activity, &kept));
    }
    order.sort_unstable();
    let mut segments: Vec<Segment> = Vec::new();
    let mut begun = BTreeSet::new();
    for (_, at, i, depth) in order {
        let activity = &collected.activities[at];
        let line = writer.line(&activity.nodes[i], depth);
        let more = omitted[at].get(&i).and_then(|omitted| omitted.line(depth + 1));
        match segments.last_mut().filter(|segment| segment.root == activity.root) {
            Some(segment) => segment.lines.push(line),
            None => {
                let resumed = !begun.insert(activity.root);
                segments.push(writer.segment(activity, resumed, line));
            }
        }
        if let Some(segment) = segments.last_mut() {
            segment.lines.extend(more);
        }
    }
    segments
}

/// Whether a word says what an object's name, the head of the listing or its place says already.
fn is_told(word: &str) -> bool {
    const OBJECTS: [&str; 5] = ["bio", "rq", "next", "cmd", "parent"];
    let field = word.split_once('.');
    word == "caller"
        || field.is_some_and(|(object, name)| OBJECTS.contains(&object) && name != "rq" || name == "name")
        || ["buf", "file.flags", "file.dev", "iocb.dev", "iocb.flags"]
            .contains(&word.trim_start_matches("regs."))
}

/// Which nodes are shown: those about an object, what is inside them, and what they are in.
fn kept(activity: &Activity) -> Vec<bool> {
    let mut full: Vec<bool> = Vec::with_capacity(activity.nodes.len());
    for node in &activity.nodes {
        full.push(activity.whole || node.marked || node.parent.is_some_and(|parent| full[parent]));
    }
    let mut kept = full.clone();
    for (at, _) in full.iter().enumerate().filter(|(_, full)| **full) {
        let mut parent = activity.nodes[at].parent;
        while let Some(at) = parent.filter(|at| !kept[*at]) {
            kept[at] = true;
            parent = activity.nodes[at].parent;
        }
    }
    kept
}

/// The calls that are not shown, by the place of the shown call around them.
fn omitted_calls(activity: &Activity, kept: &[bool]) -> Map<usize, OmittedCalls> {
    let mut omitted = Map::<usize, OmittedCalls>::default();
    // For each node that is not shown, the one around it that is.
    let mut shown: Vec<Option<usize>> = Vec::with_capacity(activity.nodes.len());
    for (at, node) in activity.nodes.iter().enumerate() {
        let around = node.parent.and_then(|parent| if kept[parent] { Some(parent) } else { shown[parent] });
        shown.push(around);
        if let Some(around) = around.filter(|_| !kept[at] && node.call.is_some()) {
            let (own, end) = node.end.map_or((0, node.clock), |end| (end.own, end.clock));
            omitted.entry(around).or_default().add(1, own, (node.clock, end));
        }
    }
    omitted
}

struct Writer<'a> {
    definitions: &'a Definitions,
    wording: &'a Wording,
    tasks: &'a TaskHistory,
    objects: Objects,
}

impl Writer<'_> {
    /// How deep each node is. What an inlined function calls is inside it: the place of the call says so. Nothing is
    /// shown deeper than calls can be.
    fn depths(&self, activity: &Activity) -> Vec<usize> {
        let mut depths: Vec<usize> = Vec::with_capacity(activity.nodes.len());
        // For each call, the inlined functions that its last event was in, the outermost first.
        let mut inlined = FxHashMap::<Option<usize>, Vec<&str>>::default();
        let (mut inside, mut sites) = (FxHashMap::default(), Map::default());
        for node in &activity.nodes {
            let around = inlined.entry(node.parent).or_default();
            let probe = self.definitions.probes.get(&node.kind);
            let inner = probe.filter(|probe| probe.at == At::Inlined);
            match (inner, self.definitions.sites.get(&node.caller)) {
                (Some(probe), _) => {
                    let inside: &Set<&str> = inside
                        .entry(node.kind)
                        .or_insert_with(|| probe.inside.iter().map(String::as_str).collect());
                    around.retain(|name| inside.contains(name));
                    around.truncate(inside.len());
                }
                (None, Some(site)) => {
                    let frames: &Set<&str> = sites
                        .entry(node.caller)
                        .or_insert_with(|| site.frames.iter().map(|frame| frame.function.as_str()).collect());
                    around.retain(|name| frames.contains(name));
                }
                (None, None) => {}
            }
            let above = node.parent.map_or(0, |parent| depths[parent] + 1);
            depths.push((above + around.len()).min(DEEPEST));
            if let Some(probe) = inner {
                around.push(&probe.function);
            }
        }
        depths
    }

    fn line(&self, node: &EventNode, depth: usize) -> Line {
        let probe = self.definitions.probes.get(&node.kind);
        let site = self.definitions.sites.get(&node.caller).and_then(|site| site.frames.first());
        let inlined = probe.is_some_and(|probe| probe.at == At::Inlined);
        Line {
            call: node.call,
            depth,
            name: self.definitions.function_name(node.kind).into_owned(),
            title: self.definitions.title(node.kind).into_owned(),
            instant: node.call.is_none(),
            inlined,
            layer: probe.map(|p| p.layer),
            stage: probe.map(|p| p.stage_name().into_owned()).unwrap_or_default(),
            source: probe.map(|p| (p.file.clone(), p.line)).unwrap_or_default(),
            site: site.map(|frame| (frame.file.clone(), frame.line)).unwrap_or_default(),
            words: self.words(node),
            clock: node.clock,
            end: node.end.map(|end| end.clock),
            total: node.end.map_or(0, |end| end.total),
            own: node.end.map_or(0, |end| end.own),
            ending: node.end.map(|end| end.ending),
            returned: node.end.and_then(|end| Some(returned(end.returns, end.returned?))),
            marked: node.marked,
            times: 1,
            ..Line::default()
        }
    }

    /// What tells something: objects, and numbers that are no addresses.
    fn words(&self, node: &EventNode) -> Vec<(String, String)> {
        let event = Event {
            kind: node.kind,
            vcpu: 0,
            clock: node.clock,
            context: 0,
            task: 0,
            stack: 0,
            words: &node.words,
        };
        // Which tasks it mentions is shown where they are woken.
        let described = self.wording.describe(self.definitions, &event, Task::default(), &[]);
        let name =
            described.words.iter().find(|word| word.name == "file.name" && word.form == FieldForm::Decoded);
        let file = name.map(|word| word.text.to_string());
        let shown = described.words.into_iter().filter(|word| !is_told(&word.name)).filter_map(|word| {
            let object = self.objects.name(word.value, node.clock).map(str::to_owned);
            let text = object.or((word.form == FieldForm::Decoded).then(|| word.text.into_owned()))?;
            Some((word.name.trim_start_matches("regs.").to_owned(), text))
        });
        file.map(|name| ("file".to_owned(), name)).into_iter().chain(shown).take(WORDS).collect()
    }

    fn segment(&self, activity: &Activity, resumed: bool, line: Line) -> Segment {
        let root = activity.nodes.first();
        let function = root.map(|node| self.definitions.function_name(node.kind).into_owned());
        let probe = root.and_then(|node| self.definitions.probes.get(&node.kind));
        let work = root.zip(probe).and_then(|(node, probe)| {
            let at = probe.word(Role::WorkFunction)?;
            Some(Describer::function(self.definitions, *node.words.get(at)?))
        });
        let stage = probe.and_then(|probe| probe.stage.as_ref());
        // Their first calls are made before the kernel has counted them.
        let level = match stage.and_then(Stage::begins) {
            Some(Begins::Interrupt) => Level::Hardirq,
            Some(Begins::Softirq) => Level::Softirq,
            _ => activity.level,
        };
        Segment {
            root: activity.root,
            function: function.unwrap_or_default(),
            task: self.tasks.at(activity.task, line.clock),
            level,
            interrupt: activity.interrupt,
            work,
            resumed,
            lines: vec![line],
        }
    }
}

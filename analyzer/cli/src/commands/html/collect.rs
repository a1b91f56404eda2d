//! Collects what the page shows, in one pass.

use super::super::summary::{anomalies, counts, name, recorded};
use super::data::{BioColumns, Differences, IoColumns, PageCall, PageData, PageTable, Texts};
use crate::view::stages::meaning;
use crate::view::{cause, text};
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy, BreakdownCollector};
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink, RecordsEnd};
use iotrace::hash::Map;
use iotrace::model::{Bio, BioStage, CallEnd, CallId, Io, IoTime, Level, Task, TimeMap, Wait};
use iotrace_format::event::{Event, KindId};
use iotrace_format::layer::Layer;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Most nodes of the tree of calls; further ones are part of the node around them.
const NODES: usize = 20_000;
/// Most rows of a table.
const ROWS: usize = 200;

/// What was collected so far.
pub struct PageCollector {
    breakdown: BreakdownCollector,
    rows: usize,
    ios: BTreeMap<u64, Io>,
    bios: BTreeMap<u64, Bio>,
    left_out: (u64, u64),
    texts: Texts,
    edges: BTreeMap<(Option<usize>, usize), u64>,
    calls: Vec<PageCall>,
    nodes: FxHashMap<(Option<u32>, u32), u32>,
    /// The node and the layer of each open call.
    open: Map<CallId, (u32, usize)>,
    kinds: FxHashMap<KindId, (u32, usize)>,
}

impl PageCollector {
    /// Nothing yet; with so many I/Os and bios.
    pub fn new(rows: usize) -> Self {
        Self {
            breakdown: BreakdownCollector::default(),
            rows,
            ios: BTreeMap::new(),
            bios: BTreeMap::new(),
            left_out: (0, 0),
            texts: Texts::default(),
            edges: BTreeMap::new(),
            calls: Vec::new(),
            nodes: FxHashMap::default(),
            open: Map::default(),
            kinds: FxHashMap::default(),
        }
    }

    fn node(&mut self, parent: Option<u32>, name: u32, layer: Option<usize>) -> u32 {
        let next = self.calls.len() as u32;
        if let Some(parent) = parent.filter(|_| self.calls.len() >= NODES)
            && !self.nodes.contains_key(&(Some(parent), name))
        {
            return parent;
        }
        let node = *self.nodes.entry((parent, name)).or_insert(next);
        if node == next {
            self.calls.push(PageCall { parent, name, layer, count: 0, own: 0 });
        }
        node
    }

    /// The data of the page, without ways.
    pub fn into_data(mut self, time: &TimeMap, all: bool, end: &RecordsEnd) -> PageData {
        let (found, _) = std::mem::take(&mut self.breakdown).into_breakdown();
        let found = Breakdown {
            time: time.clone(),
            counts: end.counts.clone(),
            warnings: end.warnings.clone(),
            ..found
        };
        let firsts = self.ios.values().map(|io| io.entered).chain(self.bios.values().map(Bio::queued));
        let origin = firsts.min().map_or(0, |clock| time.ns(clock).unwrap_or(clock));
        let mut texts = std::mem::take(&mut self.texts);
        let ios = io_columns(self.ios.values(), time, origin, &mut texts);
        let bios = bio_columns(&self.bios, &self.ios, (time, origin), &mut texts);
        let tables = BreakdownBy::ALL.map(|by| table(&found, by, &mut texts)).into();
        PageData {
            head: vec![counts(&found, all), recorded(&found)],
            anomalies: anomalies(&found),
            is_virtual: time.is_virtual(),
            is_approximate: time.is_approximate(),
            origin,
            instructions: found.instructions,
            texts,
            layers: Layer::ALL.iter().map(|layer| layer.name()).collect(),
            stages: BioStage::ALL.iter().map(|stage| (stage.short(), meaning(*stage))).collect(),
            ios,
            bios,
            left_out: self.left_out,
            tables,
            edges: self.edges.into_iter().map(|((from, to), count)| (from, to, count)).collect(),
            calls: self.calls,
            ways: Vec::new(),
        }
    }
}

fn table(found: &Breakdown, by: BreakdownBy, texts: &mut Texts) -> PageTable {
    let rows = found.rows(by).iter().take(ROWS);
    let rows = rows.map(|row| (texts.number(&row.name), row.count, row.own, row.total)).collect();
    PageTable { by: name(by), instructions: by.counts_instructions() || !found.time.is_virtual(), rows }
}

fn io_columns<'a>(
    ios: impl Iterator<Item = &'a Io>,
    time: &TimeMap,
    origin: u64,
    texts: &mut Texts,
) -> IoColumns {
    let mut columns = IoColumns::default();
    let (mut id, mut bio, mut end) = (Differences::default(), Differences::default(), 0);
    for io in ios {
        let from = time.ns(io.entered).unwrap_or(io.entered).saturating_sub(origin);
        let within = io
            .device
            .iter()
            .map(|(begin, end)| ((*begin).max(io.entered), (*end).min(io.left.unwrap_or(*end))));
        let within = within.filter(|(begin, end)| begin < end);
        let spans = within.map(|(begin, end)| [time.length(io.entered, begin), time.length(begin, end)]);
        let spans = Vec::from_iter(spans.flatten());
        let device: u64 = spans.iter().skip(1).step_by(2).sum();
        let lasted = io.time(time);
        columns.id.push(id.next(io.id).cast_unsigned());
        columns.gap.push(from.wrapping_sub(end).cast_signed());
        columns.guest.push(lasted.map(|lasted| lasted.elapsed.saturating_sub(device)));
        columns.times.push((io.id, lasted.map(IoTime::guest)));
        end = from + lasted.map_or(0, |lasted| lasted.elapsed);
        columns.spans.push(spans);
        columns.call.push(texts.number(&io.syscall));
        columns.task.push(texts.number(&cause::task(&io.task)));
        columns.file.push(texts.number(io.file.as_ref().map_or("", |file| &file.name)));
        columns.bytes.push(io.count);
        columns.returned.push(io.returned);
        columns.instructions.push(io.cost);
        columns.bios.push(io.all_bios().into_iter().map(|id| bio.next(id)).collect());
    }
    columns
}

fn bio_columns(
    bios: &BTreeMap<u64, Bio>,
    ios: &BTreeMap<u64, Io>,
    (time, origin): (&TimeMap, u64),
    texts: &mut Texts,
) -> BioColumns {
    let mut columns = BioColumns { lengths: vec![Vec::new(); BioStage::ALL.len()], ..BioColumns::default() };
    let (mut id, mut of_io, mut sector) = <(Differences, Differences, Differences)>::default();
    let mut ways = BTreeMap::<Vec<u8>, usize>::new();
    for bio in bios.values() {
        let at = |clock: u64| time.ns(clock).unwrap_or(clock).saturating_sub(origin);
        let io = bio.cause.as_ref().and_then(|cause| cause.io());
        let entered = io.and_then(|io| ios.get(&io)).map_or(0, |io| at(io.entered));
        let way: Vec<_> = bio.stages.iter().skip(1).map(|mark| mark.stage as u8).collect();
        let next = ways.len();
        let device = bio.device.as_ref().map_or_else(|| text::device(bio.dev), ToString::to_string);
        columns.id.push(id.next(bio.id).cast_unsigned());
        columns.io.push(of_io.next(io.unwrap_or(0)));
        columns.since.push(at(bio.queued()).wrapping_sub(entered).cast_signed());
        columns.device.push(texts.number(&device));
        columns.op.push(texts.number(&bio.op.rwbs()));
        columns.sector.push(sector.next(bio.sector));
        columns.bytes.push(bio.bytes);
        columns.way.push(*ways.entry(way).or_insert(next));
        for pair in bio.stages.windows(2) {
            columns.lengths[pair[1].stage as usize].push(time.length(pair[0].clock, pair[1].clock));
        }
    }
    columns.ways = vec![Vec::new(); ways.len()];
    ways.into_iter().for_each(|(way, at)| columns.ways[at] = way);
    columns
}

impl RecordSink for PageCollector {
    fn needs(&self) -> RecordNeeds {
        self.breakdown.needs()
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        self.breakdown.io(io, scope);
        self.ios.insert(io.id, io.clone());
        if self.ios.len() > self.rows {
            self.ios.pop_last();
            self.left_out.0 += 1;
        }
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        self.breakdown.bio(bio, scope);
        self.bios.insert(bio.id, bio.clone());
        if self.bios.len() > self.rows {
            self.bios.pop_last();
            self.left_out.1 += 1;
        }
    }

    fn wait(&mut self, wait: &Wait, scope: &RecordScope) {
        self.breakdown.wait(wait, scope);
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        self.breakdown.entered(call, event, scope);
        let known = self.kinds.get(&event.kind).copied();
        let (name, layer) = known.unwrap_or_else(|| {
            let layer = scope.definitions.probes.get(&event.kind).map_or(Layer::Other, |probe| probe.layer);
            (self.texts.number(&scope.definitions.title(event.kind)), layer.index())
        });
        self.kinds.insert(event.kind, (name, layer));
        let outer = call.parent.and_then(|parent| self.open.get(&parent).copied());
        let shown = call.selected && scope.contains(call.clock);
        let below = outer.map_or_else(
            || {
                let context = match call.level {
                    Level::Task | Level::Unknown => call.task.comm.to_string(),
                    level => level.name().to_owned(),
                };
                let context = self.texts.number(&context);
                self.node(None, context, None)
            },
            |(node, _)| node,
        );
        let node = self.node(Some(below), name, Some(layer));
        if shown {
            self.calls[node as usize].count += 1;
            let from = outer.map(|(_, layer)| layer);
            if from != Some(layer) {
                *self.edges.entry((from, layer)).or_default() += 1;
            }
        }
        self.open.insert(call.id, (node, layer));
    }

    fn ran(&mut self, call: Option<&ContextCall>, task: Task, from: u64, to: u64, scope: &RecordScope) {
        self.breakdown.ran(call, task, from, to, scope);
        let open = call.filter(|call| call.selected).and_then(|call| self.open.get(&call.id));
        if let Some((node, _)) = open {
            self.calls[*node as usize].own += to - from;
        }
    }

    fn left(&mut self, end: &CallEnd, call: &ContextCall, scope: &RecordScope) {
        self.breakdown.left(end, call, scope);
        self.open.remove(&end.id);
    }

    fn finish(&mut self, scope: &RecordScope) {
        self.breakdown.finish(scope);
    }
}

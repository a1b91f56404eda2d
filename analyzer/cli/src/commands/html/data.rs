//! The data of the page: columns, with texts by their number. Times are virtual nanoseconds since the first that is shown, or
//! instructions without icount.

use iotrace::hash::Map;
use serde::Serialize;
use std::cmp::Reverse;

/// Texts, each once.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Texts {
    all: Vec<String>,
    #[serde(skip)]
    by_text: Map<String, u32>,
}

impl Texts {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.by_text.get(text) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(text.to_owned());
        self.by_text.insert(text.to_owned(), number);
        number
    }
}

/// I/Os, by number.
#[derive(Debug, Default, Serialize)]
pub struct IoColumns {
    pub id: Vec<u64>,
    pub from: Vec<u64>,
    pub elapsed: Vec<Option<u64>>,
    pub device: Vec<u64>,
    /// When a device had a command of it: begin since `from`, and length.
    pub spans: Vec<Vec<(u64, u64)>>,
    pub call: Vec<u32>,
    pub task: Vec<u32>,
    pub file: Vec<u32>,
    pub bytes: Vec<Option<u64>>,
    pub returned: Vec<Option<i64>>,
    pub instructions: Vec<u64>,
    pub bios: Vec<Vec<u64>>,
}

/// Bios, by number.
#[derive(Debug, Default, Serialize)]
pub struct BioColumns {
    pub id: Vec<u64>,
    pub io: Vec<Option<u64>>,
    pub from: Vec<u64>,
    pub device: Vec<u32>,
    pub op: Vec<u32>,
    pub sector: Vec<u64>,
    pub bytes: Vec<u64>,
    /// Stages: number among all, and time since the one before.
    pub stages: Vec<Vec<(u8, u64)>>,
}

/// A node of the tree of calls: functions by the calls that they are in.
#[derive(Debug, Serialize)]
pub struct CallNode {
    /// The node around it; none of a context.
    pub parent: Option<u32>,
    pub name: u32,
    /// Place among the layers; none of a context.
    pub layer: Option<usize>,
    pub count: u64,
    pub own: u64,
}

/// A table.
#[derive(Debug, Serialize)]
pub struct PageTable {
    pub by: &'static str,
    /// Its numbers are instructions.
    pub instructions: bool,
    /// Name, count, own, total.
    pub rows: Vec<(u32, u64, u64, u64)>,
}

/// A line of an I/O's way.
#[derive(Debug, Serialize)]
pub struct WayLine {
    pub depth: usize,
    pub name: u32,
    /// Layer; none of what is no function.
    pub layer: Option<usize>,
    pub from: u64,
    pub to: Option<u64>,
    pub own: u64,
    pub total: u64,
    /// File and line in the source.
    pub place: u32,
    /// Fields.
    pub fields: u32,
    /// Number of the call.
    pub call: Option<u64>,
}

/// Calls of an I/O's way in one context.
#[derive(Debug, Serialize)]
pub struct WaySegment {
    pub context: u32,
    pub lines: Vec<WayLine>,
}

/// A hand-off of an I/O's way.
#[derive(Debug, Serialize)]
pub struct WayHandoff {
    pub what: u32,
    pub from: u64,
    pub from_call: Option<u64>,
    pub to: u64,
    pub to_call: Option<u64>,
}

/// A part of an I/O's critical path.
#[derive(Debug, Serialize)]
pub struct WayWait {
    pub from: u64,
    pub to: u64,
    pub depth: usize,
    pub what: u32,
    pub device: bool,
}

/// The way of an I/O.
#[derive(Debug, Serialize)]
pub struct IoWay {
    pub io: u64,
    pub segments: Vec<WaySegment>,
    pub handoffs: Vec<WayHandoff>,
    pub why: Vec<WayWait>,
}

/// All of it.
#[derive(Debug, Default, Serialize)]
pub struct PageData {
    /// Lines for the head of the page.
    pub head: Vec<String>,
    /// Anomalies.
    pub anomalies: Vec<String>,
    /// Times are virtual nanoseconds.
    pub is_virtual: bool,
    /// The first time that is shown.
    pub origin: u64,
    /// Instructions executed.
    pub instructions: u64,
    pub texts: Texts,
    /// Names of the layers.
    pub layers: Vec<&'static str>,
    /// Stages: letter and what it means.
    pub stages: Vec<(&'static str, &'static str)>,
    pub ios: IoColumns,
    pub bios: BioColumns,
    /// I/Os and bios that are left out.
    pub left_out: (u64, u64),
    pub tables: Vec<PageTable>,
    /// Calls from one layer to another: from, to, how many; from none for contexts.
    pub edges: Vec<(Option<usize>, usize, u64)>,
    pub calls: Vec<CallNode>,
    pub ways: Vec<IoWay>,
}

impl PageData {
    /// Nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.ios.id.is_empty() && self.bios.id.is_empty() && self.calls.is_empty()
    }

    /// The I/Os with the most guest time, the slowest first.
    pub fn slowest(&self, count: usize) -> Vec<u64> {
        let ios = &self.ios;
        let guest = |at: &usize| ios.elapsed[*at].map(|elapsed| elapsed - ios.device[*at]);
        let mut order: Vec<_> = (0..ios.id.len()).filter(|at| guest(at).is_some()).collect();
        order.sort_by_key(|at| (Reverse(guest(at)), ios.id[*at]));
        order.truncate(count);
        order.into_iter().map(|at| ios.id[at]).collect()
    }
}

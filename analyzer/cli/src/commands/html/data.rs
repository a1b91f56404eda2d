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

/// I/Os, by number. What is nearly the same from one to the next is kept as the difference, so that it packs well.
#[derive(Debug, Default, Serialize)]
pub struct IoColumns {
    /// Number, since the one before.
    pub id: Vec<u64>,
    /// When it was entered, since the end of the one before.
    pub gap: Vec<i64>,
    /// Elapsed time without `spans`; none if it has not returned.
    pub guest: Vec<Option<u64>>,
    /// When a device had a command of it: begin since it was entered, and length, in turn.
    pub spans: Vec<Vec<u64>>,
    pub call: Vec<u32>,
    pub task: Vec<u32>,
    pub file: Vec<u32>,
    pub bytes: Vec<Option<u64>>,
    pub returned: Vec<Option<i64>>,
    pub instructions: Vec<u64>,
    /// Numbers of its bios, each since the one before, over all I/Os.
    pub bios: Vec<Vec<i64>>,
    /// Number and guest time of each, for the slowest.
    #[serde(skip)]
    pub times: Vec<(u64, Option<u64>)>,
}

/// Bios, by number.
#[derive(Debug, Default, Serialize)]
pub struct BioColumns {
    /// Number, since the one before.
    pub id: Vec<u64>,
    /// Number of the I/O, since that of the one before; 0 stands for none.
    pub io: Vec<i64>,
    /// When it was queued: since the I/O was entered, if that is in the page.
    pub since: Vec<i64>,
    pub device: Vec<u32>,
    pub op: Vec<u32>,
    /// First sector, since that of the one before.
    pub sector: Vec<i64>,
    pub bytes: Vec<u64>,
    /// Place of its stages among the rows of stages that occur.
    pub way: Vec<usize>,
    /// The rows of stages that occur: numbers of stages.
    pub ways: Vec<Vec<u8>>,
    /// By the numbers of stages, how long each bio that has it took to reach it.
    pub lengths: Vec<Vec<u64>>,
}

/// Differences of numbers that follow one another.
#[derive(Debug, Default)]
pub struct Differences(u64);

impl Differences {
    /// The difference to the number before.
    pub fn next(&mut self, number: u64) -> i64 {
        number.wrapping_sub(std::mem::replace(&mut self.0, number)).cast_signed()
    }
}

/// A node of the tree of calls: functions by the calls that they are in.
#[derive(Debug, Serialize)]
pub struct PageCall {
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
    /// They were only read now and then.
    pub is_approximate: bool,
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
    pub calls: Vec<PageCall>,
    pub ways: Vec<IoWay>,
}

impl PageData {
    /// Nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.ios.id.is_empty() && self.bios.id.is_empty() && self.calls.is_empty()
    }

    /// The I/Os with the most guest time, the slowest first.
    pub fn slowest(&self, count: usize) -> Vec<u64> {
        let mut order: Vec<_> = self.ios.times.iter().filter(|(_, guest)| guest.is_some()).collect();
        order.sort_by_key(|(id, guest)| (Reverse(*guest), *id));
        order.into_iter().take(count).map(|(id, _)| *id).collect()
    }
}

//! Which I/O of one run is which of the other: by what the workload did.

use super::gather::{Run, Work};
use crate::model::Io;
use std::collections::{BTreeMap, VecDeque};

/// What makes two I/Os the same: who did what to which bytes of which file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    task: String,
    syscall: String,
    file: String,
    position: Option<u64>,
    count: Option<u64>,
}

impl Key {
    fn of(io: &Io) -> Self {
        Self {
            task: io.task.comm.to_string(),
            syscall: io.syscall.to_string(),
            file: io.file.as_ref().map_or_else(String::new, |file| file.name.clone()),
            position: io.position,
            count: io.count,
        }
    }
}

/// An I/O in a few words.
#[must_use]
pub fn what(io: &Io) -> String {
    let mut what = format!("{} by {}", io.syscall, io.task.comm);
    if let Some(file) = io.file.as_ref().filter(|file| !file.name.is_empty()) {
        what += &format!(" of {}", file.name);
    }
    if let Some(count) = io.count {
        what += &format!(", {count} bytes");
    }
    if let Some(position) = io.position {
        what += &format!(" at {position}");
    }
    what
}

/// Pairs of I/Os, and those of A and of B without a partner.
#[derive(Debug, Default)]
pub struct Paired<'a> {
    /// In A's order.
    pub pairs: Vec<(&'a Work, &'a Work)>,
    /// Of A alone.
    pub only_a: Vec<&'a Work>,
    /// Of B alone.
    pub only_b: Vec<&'a Work>,
}

/// Pairs the I/Os of two runs: the n-th of a kind in one with the n-th in the other.
#[must_use]
pub fn pair<'a>(a: &'a Run, b: &'a Run) -> Paired<'a> {
    let mut waiting = BTreeMap::<Key, VecDeque<&Work>>::new();
    for work in &b.works {
        waiting.entry(Key::of(&work.io)).or_default().push_back(work);
    }
    let mut paired = Paired::default();
    for work in &a.works {
        match waiting.get_mut(&Key::of(&work.io)).and_then(VecDeque::pop_front) {
            Some(partner) => paired.pairs.push((work, partner)),
            None => paired.only_a.push(work),
        }
    }
    paired.only_b = waiting.into_values().flatten().collect();
    paired.only_b.sort_by_key(|work| work.io.id);
    paired
}

/// Why an I/O has no partner among the works of the other side.
#[must_use]
pub fn reason(io: &Io, others: &[Work]) -> String {
    let key = Key::of(io);
    let same = |fits: &dyn Fn(&Key) -> bool| others.iter().filter(|w| fits(&Key::of(&w.io))).count();
    let often = same(&|other| *other == key);
    if often > 0 {
        return format!("the other side has only {often} like it");
    }
    let (task, call) = (&key.task, &key.syscall);
    if same(&|other| other.task == *task && other.syscall == *call && other.file == key.file) > 0 {
        return "the other side did it with other bytes".to_owned();
    }
    if same(&|other| other.task == *task && other.syscall == *call) > 0 {
        return "the other side did it with another file, or it concerned no disk there".to_owned();
    }
    "the other side did nothing like it that concerned a disk".to_owned()
}

//! Which I/O of one run is which of the other: by what the workload did.

use super::gather::{Run, Work};
use std::collections::{BTreeMap, VecDeque};

/// What makes two I/Os the same: who did what to which bytes of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    task: &'a str,
    syscall: &'a str,
    file: &'a str,
    position: Option<u64>,
    count: Option<u64>,
}

impl<'a> Key<'a> {
    fn of(work: &'a Work) -> Self {
        let Work { task, syscall, file, position, count, .. } = work;
        Self { task, syscall, file, position: *position, count: *count }
    }
}

/// An I/O in a few words.
#[must_use]
pub fn what(work: &Work) -> String {
    let mut what = format!("{} by {}", work.syscall, work.task);
    if !work.file.is_empty() {
        what += &format!(" of {}", work.file);
    }
    if let Some(count) = work.count {
        what += &format!(", {count} bytes");
    }
    if let Some(position) = work.position {
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
    let mut waiting = BTreeMap::<Key<'_>, VecDeque<&Work>>::new();
    for work in &b.works {
        waiting.entry(Key::of(work)).or_default().push_back(work);
    }
    let mut paired = Paired::default();
    for work in &a.works {
        match waiting.get_mut(&Key::of(work)).and_then(VecDeque::pop_front) {
            Some(partner) => paired.pairs.push((work, partner)),
            None => paired.only_a.push(work),
        }
    }
    paired.only_b = waiting.into_values().flatten().collect();
    paired.only_b.sort_by_key(|work| work.io);
    paired
}

/// What the I/Os of a run were, to tell why one of the other has no partner.
#[derive(Debug, Default)]
pub struct Others<'a> {
    keys: BTreeMap<Key<'a>, usize>,
    files: BTreeMap<(&'a str, &'a str, &'a str), usize>,
    calls: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Others<'a> {
    /// Of a run.
    #[must_use]
    pub fn of(run: &'a Run) -> Self {
        let mut others = Self::default();
        for key in run.works.iter().map(Key::of) {
            *others.keys.entry(key).or_default() += 1;
            *others.files.entry((key.task, key.syscall, key.file)).or_default() += 1;
            *others.calls.entry((key.task, key.syscall)).or_default() += 1;
        }
        others
    }

    /// Why an I/O has no partner here.
    #[must_use]
    pub fn reason(&self, work: &Work) -> String {
        let key = Key::of(work);
        if let Some(often) = self.keys.get(&key) {
            return format!("only {often} such I/Os on the other side");
        }
        if self.files.contains_key(&(key.task, key.syscall, key.file)) {
            return "different bytes on the other side".to_owned();
        }
        if self.calls.contains_key(&(key.task, key.syscall)) {
            return "different file or no disk access on the other side".to_owned();
        }
        "no such disk I/O on the other side".to_owned()
    }
}

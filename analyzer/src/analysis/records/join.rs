//! I/Os, bios and requests that are decided about by one another.
//!
//! In: each as it is over, in any order. Out: those that fulfil the conditions, as soon as all that belongs to them is
//! known. What is known is kept for so many ([`MOST`]) that came later; what is not decided by then is decided by what is
//! known, and counted.

use super::super::conditions::Conditions;
use crate::hash::Map;
use crate::model::{Bio, BioId, Io, IoId, Request, RequestId, Wait};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// I/Os, bios and requests that are kept, each.
const MOST: usize = 1 << 14;

/// Waits that are kept until their I/Os are known.
const WAITS: usize = 1 << 16;

/// What fulfils the conditions.
#[derive(Debug, Clone)]
pub enum Decided {
    /// An I/O.
    Io(Arc<Io>),
    /// A bio.
    Bio(Arc<Bio>),
    /// A request.
    Request(Arc<Request>),
    /// A wait in an I/O that does.
    Wait(Wait),
}

/// Records of one sort.
#[derive(Debug)]
struct Known<T> {
    records: Map<u64, Arc<T>>,
    /// The numbers, the oldest first.
    order: VecDeque<u64>,
    /// What each waits for.
    missing: Map<u64, Vec<u64>>,
    /// Who waits, by what is missing, the oldest first.
    waiting: Map<u64, VecDeque<u64>>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            records: Map::default(),
            order: VecDeque::new(),
            missing: Map::default(),
            waiting: Map::default(),
        }
    }
}

impl<T> Known<T> {
    /// Keeps a record that waits for others. The oldest, if there are too many, and whether it still waits.
    fn add(&mut self, id: u64, record: Arc<T>, others: Vec<u64>) {
        self.records.insert(id, record);
        self.order.push_back(id);
        if !others.is_empty() {
            others.iter().for_each(|other| self.waiting.entry(*other).or_default().push_back(id));
            self.missing.insert(id, others);
        }
    }

    /// Those that wait for nothing more now that this is known.
    fn arrived(&mut self, other: u64) -> Vec<u64> {
        let waiting = self.waiting.remove(&other).unwrap_or_default();
        let missing = &mut self.missing;
        let is_ready = |id: &u64| match missing.get_mut(id) {
            Some(others) if others.len() > 1 => {
                others.retain(|missing| *missing != other);
                false
            }
            Some(_) => missing.remove(id).is_some(),
            None => false,
        };
        waiting.into_iter().filter(is_ready).collect()
    }

    /// The oldest, if there are more than are kept: it waits no more.
    fn oldest(&mut self) -> Option<(u64, bool)> {
        let id = if self.order.len() > MOST { self.order.pop_front()? } else { return None };
        Some((id, self.give_up(id)))
    }

    /// A record waits no more. Returns whether it did.
    fn give_up(&mut self, id: u64) -> bool {
        let Some(others) = self.missing.remove(&id) else { return false };
        for other in others {
            let Some(waiting) = self.waiting.get_mut(&other) else { continue };
            // The oldest is given up first.
            if waiting.front() == Some(&id) {
                waiting.pop_front();
            } else {
                waiting.retain(|waits| *waits != id);
            }
            if waiting.is_empty() {
                self.waiting.remove(&other);
            }
        }
        true
    }

    /// All that still wait, by number.
    fn pending(&mut self) -> Vec<u64> {
        let mut all = Vec::from_iter(std::mem::take(&mut self.missing).into_iter().map(|(id, _)| id));
        all.sort_unstable();
        all
    }
}

/// Decides about records.
#[derive(Debug)]
pub struct RecordJoin {
    conditions: Conditions,
    ios: Known<Io>,
    bios: Known<Bio>,
    requests: Known<Request>,
    /// Bios that were decided about.
    decisions: Map<BioId, bool>,
    decided: Vec<Decided>,
    /// Waits in I/Os that are not known yet.
    waits: BTreeMap<IoId, Vec<Wait>>,
    waiting: usize,
    /// How many were decided about too early.
    pub undecided: u64,
}

impl RecordJoin {
    /// By these conditions, which are settled.
    pub fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            ios: Known::default(),
            bios: Known::default(),
            requests: Known::default(),
            decisions: Map::default(),
            decided: Vec::new(),
            waits: BTreeMap::new(),
            waiting: 0,
            undecided: 0,
        }
    }

    /// What was decided since the last call.
    pub fn take(&mut self) -> Vec<Decided> {
        std::mem::take(&mut self.decided)
    }

    /// A task waited in an I/O.
    pub fn wait(&mut self, wait: Wait) {
        self.waits.entry(wait.io).or_default().push(wait);
        self.waiting += 1;
        if self.waiting > WAITS
            && let Some((_, oldest)) = self.waits.pop_first()
        {
            self.waiting -= oldest.len();
            self.undecided += 1;
        }
    }

    /// An I/O is not selected, whatever the conditions are.
    pub fn leave_out(&mut self, io: IoId) {
        self.waiting -= self.waits.remove(&io).map_or(0, |waits| waits.len());
    }

    /// An I/O is selected, and the waits in it.
    fn select(&mut self, io: Arc<Io>) {
        let waits = self.waits.remove(&io.id).unwrap_or_default();
        self.waiting -= waits.len();
        self.decided.push(Decided::Io(io));
        self.decided.extend(waits.into_iter().map(Decided::Wait));
    }

    /// An I/O is over.
    pub fn io(&mut self, io: Io) {
        let (id, io) = (io.id, Arc::new(io));
        if self.conditions.is_empty() {
            return self.select(io);
        }
        let missing = io.all_bios().into_iter().filter(|bio| !self.bios.records.contains_key(bio)).collect();
        self.ios.add(id, io, missing);
        if !self.ios.missing.contains_key(&id) {
            self.decide_io(id);
        }
        self.bios.arrived(id).into_iter().for_each(|bio| self.decide_bio(bio));
        while let Some((old, waits)) = self.ios.oldest() {
            if waits {
                self.undecided += 1;
                self.decide_io(old);
            }
            self.ios.records.remove(&old);
            self.bios.arrived(old).into_iter().for_each(|bio| self.decide_bio(bio));
        }
    }

    /// A bio is over.
    pub fn bio(&mut self, bio: Bio) {
        let (id, bio) = (bio.id, Arc::new(bio));
        if self.conditions.is_empty() {
            return self.decided.push(Decided::Bio(bio));
        }
        let missing = ios_of(&bio).into_iter().filter(|io| !self.ios.records.contains_key(io)).collect();
        self.bios.add(id, bio, missing);
        if !self.bios.missing.contains_key(&id) {
            self.decide_bio(id);
        }
        self.ios.arrived(id).into_iter().for_each(|io| self.decide_io(io));
        while let Some((old, waits)) = self.bios.oldest() {
            if waits {
                self.undecided += 1;
                self.decide_bio(old);
            }
            self.bios.records.remove(&old);
            self.decisions.remove(&old);
        }
    }

    /// A request is over.
    pub fn request(&mut self, request: &Request) {
        let (id, request) = (request.id, Arc::new(request.clone()));
        if self.conditions.is_empty() {
            return self.decided.push(Decided::Request(request));
        }
        let mut members = Vec::from_iter(request.members.iter().map(|member| member.bio));
        members.sort_unstable();
        members.dedup();
        members.retain(|bio| !self.decisions.contains_key(bio));
        self.requests.add(id, request, members);
        if !self.requests.missing.contains_key(&id) {
            self.decide_request(id);
        }
        while let Some((old, waits)) = self.requests.oldest() {
            if waits {
                self.undecided += 1;
                self.decide_request(old);
            }
            self.requests.records.remove(&old);
        }
    }

    /// Nothing more comes: what still waits is decided by what is known.
    pub fn finish(&mut self) {
        self.ios.pending().into_iter().for_each(|io| self.decide_io(io));
        self.bios.pending().into_iter().for_each(|bio| self.decide_bio(bio));
        self.requests.pending().into_iter().for_each(|request| self.decide_request(request));
    }

    fn decide_io(&mut self, id: IoId) {
        let Some(io) = self.ios.records.get(&id) else { return };
        let bios = io.all_bios();
        let bios = bios.iter().filter_map(|bio| self.bios.records.get(bio)).map(Arc::as_ref);
        if self.conditions.io(io, bios) {
            let io = Arc::clone(io);
            self.select(io);
        } else {
            self.leave_out(id);
        }
    }

    fn decide_bio(&mut self, id: BioId) {
        let Some(bio) = self.bios.records.get(&id) else { return };
        let ios = ios_of(bio);
        let ios = ios.iter().filter_map(|io| self.ios.records.get(io)).map(Arc::as_ref);
        let selected = self.conditions.bio(bio, ios);
        if selected {
            self.decided.push(Decided::Bio(Arc::clone(bio)));
        }
        self.decisions.insert(id, selected);
        self.requests.arrived(id).into_iter().for_each(|request| self.decide_request(request));
    }

    fn decide_request(&mut self, id: RequestId) {
        let Some(request) = self.requests.records.get(&id) else { return };
        let is_selected = |bio: &BioId| self.decisions.get(bio).is_some_and(|selected| *selected);
        if request.members.iter().any(|member| is_selected(&member.bio)) {
            self.decided.push(Decided::Request(Arc::clone(request)));
        }
    }
}

/// The I/Os that a bio was queued for or carries bytes of.
fn ios_of(bio: &Bio) -> Vec<IoId> {
    let own = bio.cause.as_ref().and_then(|cause| cause.io());
    let mut all: Vec<_> = own.into_iter().chain(bio.carries.iter().map(|carried| carried.io)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Op, OpName, Origin, RequestKind, RequestMember, Task};

    fn join_by_fd(fd: u64) -> RecordJoin {
        RecordJoin::new(Conditions { fd: Some(fd), ..Conditions::default() })
    }

    fn io(id: IoId, fd: u64, bios: &[BioId]) -> Io {
        Io { id, fd: Some(fd), bios: bios.to_vec(), ..Io::default() }
    }

    fn bio(id: BioId, io: IoId) -> Bio {
        let cause = Cause::Syscall { io, name: "write".into(), task: Task::default() };
        let new = Bio::new(id, 0x1000 + id, Origin::Queued, Op::plain(OpName::Write), id);
        Bio { cause: Some(Arc::new(cause)), ..new }
    }

    fn request(id: RequestId, bio: BioId) -> Request {
        let mut new = Request::new(id, 0x2000, RequestKind::Data, 1);
        new.members.push(RequestMember { bio, pointer: 0x1000, clock: 1, join: crate::model::Join::Got });
        new
    }

    /// What was decided, in a word each.
    fn taken(join: &mut RecordJoin) -> Vec<String> {
        let word = |decided| match decided {
            Decided::Io(io) => format!("io {}", io.id),
            Decided::Bio(bio) => format!("bio {}", bio.id),
            Decided::Request(request) => format!("request {}", request.id),
            Decided::Wait(wait) => format!("wait in {}", wait.io),
        };
        join.take().into_iter().map(word).collect()
    }

    #[test]
    fn a_bio_and_its_request_wait_for_the_io() {
        let mut join = join_by_fd(3);
        join.bio(bio(1, 7));
        join.request(&request(5, 1));
        assert_eq!(taken(&mut join), [""; 0]);
        join.io(io(7, 3, &[1]));
        assert_eq!(taken(&mut join), ["io 7", "bio 1", "request 5"]);
        join.bio(bio(2, 8));
        join.request(&request(6, 2));
        join.io(io(8, 4, &[2]));
        join.finish();
        assert_eq!((taken(&mut join), join.undecided), (vec![], 0));
    }

    fn wait(io: IoId) -> Wait {
        Wait {
            task: Task::default(),
            io,
            function: "schedule".into(),
            what: String::new(),
            clocks: (1, 2, 3),
            event: 1,
            waker: Vec::new(),
            level: crate::model::Level::Task,
            waker_task: Task::default(),
        }
    }

    #[test]
    fn waits_are_those_of_the_ios_that_are_selected() {
        let mut join = join_by_fd(3);
        [7, 8, 9].into_iter().for_each(|io| join.wait(wait(io)));
        join.io(io(7, 3, &[]));
        join.io(io(8, 4, &[]));
        join.leave_out(9);
        assert_eq!((taken(&mut join), join.waiting), (vec!["io 7".to_owned(), "wait in 7".to_owned()], 0));
        (1..=WAITS as u64 + 1).for_each(|io| join.wait(wait(io)));
        assert_eq!((join.waiting, join.undecided), (WAITS, 1));
    }

    #[test]
    fn an_io_waits_for_its_bios_in_any_order() {
        let sector = Some(0..=100);
        let mut join = RecordJoin::new(Conditions { sector, ..Conditions::default() });
        join.io(io(7, 3, &[1, 2]));
        join.bio(Bio { sector: 500, bytes: 512, ..bio(2, 7) });
        assert_eq!(taken(&mut join), [""; 0]);
        join.bio(Bio { sector: 8, bytes: 512, ..bio(1, 7) });
        assert_eq!(taken(&mut join), ["bio 1", "io 7"]);
    }

    #[test]
    fn what_waits_too_long_is_decided_and_counted() {
        let mut join = join_by_fd(3);
        let most = MOST as u64;
        (1..=most + 2).for_each(|id| join.bio(bio(id, 1_000_000 + id)));
        assert_eq!((join.undecided, join.bios.records.len(), taken(&mut join)), (2, MOST, vec![]));
        assert_eq!((join.bios.waiting.len(), join.decisions.len()), (MOST, 0));
        join.finish();
        assert_eq!((join.bios.missing.len(), taken(&mut join)), (0, vec![]));
        let mut all = RecordJoin::new(Conditions::default());
        (1..=most + 2).for_each(|id| all.bio(bio(id, id)));
        assert_eq!(
            (all.take().len(), all.bios.records.len()),
            (MOST + 2, 0),
            "without conditions none waits"
        );
    }
}

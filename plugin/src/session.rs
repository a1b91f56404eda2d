//! The state of the session, and the transitions that are allowed.
//!
//! In: what happens to the session, on any thread of QEMU: the kernel is found, the event with which the recording begins
//! is met, an end. Out: the state; of several threads that cause the same transition, one makes it.

use SessionState::{Armed, Recording, Searching, Stopped};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a tracer does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SessionState {
    /// It looks for the guest's kernel; nothing but the clock is kept.
    Searching,
    /// The kernel was found and its code is instrumented; the event with which the recording begins (`from=`) was not
    /// met yet.
    Armed,
    /// Events are recorded.
    Recording,
    /// Nothing is recorded any more, whatever the guest does.
    Stopped,
}

/// The allowed transitions: a session never goes back, and nothing leads out of `Stopped`.
const ALLOWED: [(SessionState, SessionState); 6] = [
    (Searching, Armed),
    (Searching, Recording),
    // Another kernel, or none.
    (Searching, Stopped),
    (Armed, Recording),
    (Armed, Stopped),
    // Power-off, a mark, an earlier moment, a trace that cannot be written, a panic, the end of QEMU.
    (Recording, Stopped),
];

/// How often a kernel is looked for before the session stops: each block translated in the range of kernel images is a
/// try, and the kernel is there with the first.
const TRIES: u32 = 20;

/// A number from 0 on in a part of the word: state, state before that, tries.
const STATE: u32 = 0;
const BEFORE: u32 = 2;
const TRIED: u32 = 8;

/// The state of a session.
#[derive(Debug, Default)]
pub struct SessionSwitch(AtomicU32);

impl SessionSwitch {
    /// The present state.
    pub fn state(&self) -> SessionState {
        part(self.0.load(Ordering::Acquire), STATE)
    }

    /// Whether the kernel was found and the session has not stopped.
    pub fn is_active(&self) -> bool {
        matches!(self.state(), Armed | Recording)
    }

    /// The present state, or that in which the session stopped.
    pub fn furthest(&self) -> SessionState {
        let word = self.0.load(Ordering::Acquire);
        match part(word, STATE) {
            Stopped => part(word, BEFORE),
            state => state,
        }
    }

    /// Counts a try to find the kernel; whether it is the last one.
    pub fn count_try(&self) -> bool {
        (self.0.fetch_add(1 << TRIED, Ordering::Relaxed) >> TRIED) + 1 == TRIES
    }

    /// The kernel was found. `begins`: the recording begins with it.
    pub fn found(&self, begins: bool) -> bool {
        self.change(Some(Searching), if begins { Recording } else { Armed }).is_some()
    }

    /// The event was met with which the recording begins.
    pub fn begin(&self) -> bool {
        self.change(Some(Armed), Recording).is_some()
    }

    /// Stops, if the kernel was not found yet; whether this call has.
    pub fn give_up(&self) -> bool {
        self.change(Some(Searching), Stopped).is_some()
    }

    /// Stops, whatever the state; whether this call has.
    pub fn stop(&self) -> bool {
        // The usual answer after the end, on each callback: no write to a word that all threads read.
        self.state() != Stopped && self.change(None, Stopped).is_some()
    }

    /// Goes from a state (none: from any) to another one, if that is allowed: the state that was left.
    fn change(&self, from: Option<SessionState>, to: SessionState) -> Option<SessionState> {
        self.update(|word| next(word, from, to))
    }

    /// Changes the word, after another thread's change if there is one meanwhile: the state that was left.
    fn update(&self, next: impl FnMut(u32) -> Option<u32>) -> Option<SessionState> {
        let left = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        left.ok().map(|word| part(word, STATE))
    }
}

/// The word after a transition, if that is allowed.
fn next(word: u32, from: Option<SessionState>, to: SessionState) -> Option<u32> {
    let now = part(word, STATE);
    let goes = from.is_none_or(|from| from == now) && ALLOWED.contains(&(now, to));
    goes.then_some(word >> TRIED << TRIED | (now as u32) << BEFORE | (to as u32) << STATE)
}

fn part(word: u32, first: u32) -> SessionState {
    [Searching, Armed, Recording, Stopped][(word >> first & 3) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SessionState; 4] = [Searching, Armed, Recording, Stopped];

    /// A session in this state.
    fn session(state: SessionState) -> SessionSwitch {
        let session = SessionSwitch::default();
        match state {
            Searching => {}
            Armed => assert!(session.found(false)),
            Recording => assert!(session.found(true)),
            Stopped => assert!(session.stop()),
        }
        assert_eq!(session.state(), state);
        session
    }

    #[test]
    fn only_allowed_transitions_are_made() {
        let reached = |from, go: fn(&SessionSwitch) -> bool| {
            let session = session(from);
            let went = go(&session);
            assert_eq!(went, session.state() != from, "{from:?}");
            session.state()
        };
        // From Searching, Armed, Recording, Stopped.
        type Row = (fn(&SessionSwitch) -> bool, [SessionState; 4]);
        let table: [Row; 5] = [
            (|s| s.found(false), [Armed, Armed, Recording, Stopped]),
            (|s| s.found(true), [Recording, Armed, Recording, Stopped]),
            (SessionSwitch::begin, [Searching, Recording, Recording, Stopped]),
            (SessionSwitch::give_up, [Stopped, Armed, Recording, Stopped]),
            (SessionSwitch::stop, [Stopped; 4]),
        ];
        for (row, (go, expected)) in table.into_iter().enumerate() {
            assert_eq!(ALL.map(|from| reached(from, go)), expected, "row {row}");
        }
        for (from, to) in ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to))) {
            let session = session(from);
            let left = session.change(None, to);
            let allowed = (from as u8) < to as u8;
            assert_eq!(left, allowed.then_some(from), "{from:?} to {to:?}");
            assert_eq!(session.state(), if allowed { to } else { from });
        }
    }

    #[test]
    fn a_stopped_session_says_how_far_it_came() {
        for state in [Searching, Armed, Recording] {
            let session = session(state);
            assert_eq!(session.furthest(), state);
            assert!(session.stop() && !session.stop() && !session.begin());
            assert_eq!((session.state(), session.furthest()), (Stopped, state));
        }
        assert_eq!([false, true, true, false], ALL.map(|state| session(state).is_active()));
    }

    #[test]
    fn the_twentieth_try_is_the_last_one() {
        let session = SessionSwitch::default();
        assert_eq!((0..2 * TRIES).map(|_| session.count_try()).position(|last| last), Some(19));
        assert_eq!(session.state(), Searching);
        assert!(session.found(false) && session.begin());
        assert_eq!((session.count_try(), session.state()), (false, Recording));
    }

    /// What another thread does between a thread's look at the state and its change of it.
    #[test]
    fn a_transition_heeds_what_another_thread_does_meanwhile() {
        let race = |from, to, meanwhile: fn(&SessionSwitch)| {
            let (session, mut first) = (session(from), true);
            let left = session.update(|word| {
                if std::mem::take(&mut first) {
                    meanwhile(&session);
                }
                next(word, None, to)
            });
            (left, session.state(), session.furthest(), session.0.load(Ordering::Relaxed) >> TRIED)
        };
        let stop: fn(&SessionSwitch) = |session| assert!(session.stop());
        assert_eq!(race(Armed, Recording, stop), (None, Stopped, Armed, 0));
        assert_eq!(race(Recording, Stopped, stop), (None, Stopped, Recording, 0));
        let begin: fn(&SessionSwitch) = |session| assert!(session.begin());
        assert_eq!(race(Armed, Stopped, begin), (Some(Recording), Stopped, Recording, 0));
        assert_eq!(race(Armed, Recording, begin), (None, Recording, Recording, 0));
        let tried: fn(&SessionSwitch) = |session| assert!(!session.count_try());
        assert_eq!(race(Searching, Armed, tried), (Some(Searching), Armed, Armed, 1));
    }

    /// Waits until as many threads as `count` are here, without giving up the processor as long as they are near.
    fn meet(here: &AtomicU32, count: u32) {
        here.fetch_add(1, Ordering::AcqRel);
        for turn in 1_u32.. {
            if here.load(Ordering::Acquire) >= count {
                return;
            }
            if turn.is_multiple_of(1000) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    /// Threads that find the kernel, begin and stop at the same time: each transition is made once, in an order.
    #[test]
    fn of_several_threads_one_makes_a_transition() {
        const ROUNDS: u32 = 5000;
        let rounds =
            Vec::from_iter((0..ROUNDS).map(|_| (SessionSwitch::default(), [const { AtomicU32::new(0) }; 4])));
        let here = AtomicU32::new(0);
        let race = || {
            for ((session, made), round) in rounds.iter().zip(1..) {
                meet(&here, 2 * round);
                let went = [session.found(false), session.begin(), session.stop(), session.count_try()];
                for (went, made) in went.into_iter().zip(made) {
                    made.fetch_add(went.into(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| (0..2).for_each(|_| _ = scope.spawn(race)));
        for (session, made) in rounds {
            let made = made.map(AtomicU32::into_inner);
            let expected = match session.furthest() {
                Searching => [0, 0, 1, 0],
                Armed => [1, 0, 1, 0],
                Recording => [1, 1, 1, 0],
                Stopped => unreachable!("no state is left for itself"),
            };
            assert_eq!((session.state(), made), (Stopped, expected), "{:?}", session.furthest());
            assert_eq!(session.0.load(Ordering::Relaxed) >> TRIED, 2, "no try is lost");
        }
    }
}

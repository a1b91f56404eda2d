//! What a question is about: an I/O or a bio, with the bios, requests and I/Os that belong to it.
//!
//! The index tells the numbers of what belongs to it, and between which clocks that was seen; a pass over those picks it
//! up. Memory follows what belongs to it, not the length of the trace.

use super::Progress;
use crate::index::Located;
use crate::model::{Bio, BioId, Definitions, Io, IoId, Request};
use crate::reader::Finished;
use crate::session::{Observer, Pass, Session, SessionError};
use crate::trackers::Sink;
use iotrace_format::event::Event;
use std::collections::BTreeSet;
use std::fmt;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An I/O, by its number.
    Io(IoId),
    /// A bio, by its number.
    Bio(BioId),
    /// The n-th call (from 1) of a system call in the workload.
    Syscall(String, usize),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(id) => write!(f, "I/O #{id}"),
            Self::Bio(id) => write!(f, "bio #{id}"),
            Self::Syscall(name, 1) => write!(f, "{name} call in its workload"),
            Self::Syscall(name, at) => write!(f, "{at} {name} calls in its workload"),
        }
    }
}

/// An I/O or a bio and what belongs to it, each by number.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The I/O; of a bio: those whose bytes it carries, and the one it was queued for.
    pub ios: Vec<Io>,
    /// The bios.
    pub bios: Vec<Bio>,
    /// Their requests: those that carried them, those merged away, the flushes they waited for.
    pub requests: Vec<Request>,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
    /// From its first moment to its last, in instructions. What was in flight at the trace's end is followed for 100
    /// million instructions behind the last that was seen of it.
    pub window: (u64, u64),
    /// When I/Os began that were not seen to return: those of it, and those that its bios were queued for. Nothing waits
    /// for the ends of their contexts.
    pub unreturned: BTreeSet<u64>,
}

/// Finds what is asked about; none if the trace has it not.
///
/// # Errors
/// [`SessionError`].
pub fn subject(
    session: &Session,
    wanted: &Wanted,
    progress: Progress<'_>,
) -> Result<Option<Subject>, SessionError> {
    let Some(located) = session.locate(wanted, progress)? else { return Ok(None) };
    let (window, cut) = (located.window, session.lost(progress)?);
    let mut picker = Picker::new(located);
    session.run_window(window, &mut [&mut picker], progress)?;
    let Picker { mut subject, located, .. } = picker;
    subject.requests.sort_by_key(|request| request.id);
    subject.bios.sort_by_key(|bio| bio.id);
    subject.ios.sort_by_key(|io| io.id);
    Ok(Some(Subject { cut, window, unreturned: located.unreturned, ..subject }))
}

/// Where and why a file was cut or is damaged, for people.
pub(super) fn cut(finished: &Finished) -> Option<String> {
    finished.lost()
}

/// Picks up objects by their numbers.
#[derive(Default)]
struct Picker {
    located: Located,
    subject: Subject,
    /// The window is over.
    over: bool,
}

impl Picker {
    fn new(located: Located) -> Self {
        Self { located, ..Self::default() }
    }
}

impl Observer for Picker {
    fn event(&mut self, _: &Pass, _: &Definitions, event: &Event<'_>) {
        self.over = event.clock > self.located.window.1;
    }

    fn is_complete(&self) -> bool {
        let Located { ios, bios, requests, .. } = &self.located;
        self.over || ios.is_empty() && bios.is_empty() && requests.is_empty()
    }
}

impl Sink for Picker {
    fn io(&mut self, io: Io) {
        if self.located.ios.remove(&io.id) {
            self.subject.ios.push(io);
        }
    }

    fn bio(&mut self, bio: Bio) {
        if self.located.bios.remove(&bio.id) {
            self.subject.bios.push(bio);
        }
    }

    fn request(&mut self, request: &Request) {
        if self.located.requests.remove(&request.id) {
            self.subject.requests.push(request.clone());
        }
    }
}

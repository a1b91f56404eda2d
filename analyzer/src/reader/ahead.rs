//! Decodes chunks ahead of who takes them.
//!
//! In: the steps of a walk through a file. Out: the same in the same order, chunks with what is in them. As many
//! are under way as keep the threads busy, not more; with one thread, each is decoded when its turn comes.

use super::{Flow, Trace};
use iotrace_format::trace::chunk::{ChunkError, RawChunk};
use iotrace_format::trace::columns::{Columns, EventBlock};
use iotrace_format::trace::reader::{Content, ContentError, Decoder, ReadError};
use iotrace_format::trace::walk::WalkStep;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// What is in a chunk, or why that cannot be said.
pub type Decoded = Result<Content, ContentError>;

/// What comes of a walk through a file.
pub enum DecodedStep<'a> {
    /// A chunk at an offset, and what is in it; nothing of one that was not wanted.
    Chunk(usize, RawChunk<'a>, Option<Decoded>),
    /// Bytes from an offset that belong to no chunk, and why.
    Bad(usize, usize, ChunkError),
}

impl DecodedStep<'_> {
    /// Where it stands in the file.
    #[must_use]
    pub fn offset(&self) -> usize {
        match self {
            Self::Chunk(at, ..) | Self::Bad(at, ..) => *at,
        }
    }
}

/// Takes what was met. May give back a block whose memory can be used again.
pub type Take<'t> = &'t mut dyn FnMut(DecodedStep<'_>, &mut Option<Box<EventBlock>>) -> Flow;

/// A chunk to be decoded.
struct Job<'a> {
    chunk: RawChunk<'a>,
    block: Box<EventBlock>,
    answer: Sender<Decoded>,
}

/// A step whose turn comes.
enum Coming<'a> {
    Cached(usize, RawChunk<'a>, Box<EventBlock>),
    Bad(usize, usize, ChunkError),
    Passed(usize, RawChunk<'a>),
    Wanted(usize, RawChunk<'a>, Receiver<Decoded>),
}

/// Goes through steps: decodes the chunks that are wanted and gives all of them to `take`, in order. Those behind the
/// offset `eager` are not decoded before their turn.
///
/// # Errors
/// [`ReadError::Thread`]; [`ReadError::Memory`] as soon as a chunk has taken more memory than the trace may.
pub fn decode<'a>(
    trace: &Trace,
    steps: &mut dyn Iterator<Item = WalkStep<'a>>,
    wants: &dyn Fn(&RawChunk<'_>) -> bool,
    columns: (Columns, usize),
    take: Take<'_>,
) -> Result<Flow, ReadError> {
    let mut exceeded = None;
    let flow = decode_all(trace, steps, wants, columns, &mut |met, back| {
        let flow = take(met, back);
        exceeded = trace.exceeded_memory();
        if exceeded.is_some() { Flow::Stop } else { flow }
    })?;
    match exceeded {
        Some(limit) => Err(ReadError::Memory { limit }),
        None => Ok(flow),
    }
}

fn decode_all<'a>(
    trace: &Trace,
    steps: &mut dyn Iterator<Item = WalkStep<'a>>,
    wants: &dyn Fn(&RawChunk<'_>) -> bool,
    (columns, eager): (Columns, usize),
    take: Take<'_>,
) -> Result<Flow, ReadError> {
    if trace.threads() <= 1 {
        return one_by_one(trace, steps, wants, columns, take);
    }
    let mut steps = steps.peekable();
    let (jobs, inbox) = channel::<Job<'a>>();
    let inbox = Mutex::new(inbox);
    let most = 2 * trace.threads() + 1;
    thread::scope(|scope| {
        // Owned here: when it goes, the threads end.
        let jobs = jobs;
        for _ in 0..trace.threads() {
            let decoder = Decoder::new().map_err(ReadError::Thread)?;
            let inbox = &inbox;
            let worker = move || work(decoder, inbox, columns);
            thread::Builder::new()
                .name("iotrace-decode".into())
                .spawn_scoped(scope, worker)
                .map_err(ReadError::Thread)?;
        }
        let mut coming = VecDeque::new();
        let mut spare = VecDeque::new();
        loop {
            while coming.len() < most
                && let Some(step) = steps.next_if(|step| coming.is_empty() || offset(step) <= eager)
            {
                coming.push_back(begin(trace, step, wants, &jobs, &mut spare));
            }
            let met = match coming.pop_front() {
                None => return Ok(Flow::Continue),
                Some(Coming::Bad(at, bytes, reason)) => DecodedStep::Bad(at, bytes, reason),
                Some(Coming::Passed(at, chunk)) => DecodedStep::Chunk(at, chunk, None),
                Some(Coming::Cached(at, chunk, block)) => {
                    DecodedStep::Chunk(at, chunk, Some(Ok(Content::Events(block))))
                }
                // A thread that is gone has panicked: the scope passes that on.
                Some(Coming::Wanted(at, chunk, answer)) => DecodedStep::Chunk(at, chunk, answer.recv().ok()),
            };
            let mut back = None;
            let flow = take(met, &mut back);
            spare.extend(back);
            if flow == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
    })
}

fn offset(step: &WalkStep<'_>) -> usize {
    match step {
        WalkStep::Chunk(at, _) | WalkStep::Bad { offset: at, .. } => *at,
    }
}

fn one_by_one<'a>(
    trace: &Trace,
    steps: &mut dyn Iterator<Item = WalkStep<'a>>,
    wants: &dyn Fn(&RawChunk<'_>) -> bool,
    columns: Columns,
    take: Take<'_>,
) -> Result<Flow, ReadError> {
    let mut decoder = Decoder::new().map_err(ReadError::Thread)?;
    let mut spare = None;
    for step in steps {
        let met = match step {
            WalkStep::Chunk(at, chunk) if wants(&chunk) => {
                let decoded = match trace.cache().take(at) {
                    Some(block) => Ok(Content::Events(block)),
                    None => decoder.decode(&chunk, columns, spare.take().unwrap_or_default()),
                };
                DecodedStep::Chunk(at, chunk, Some(decoded))
            }
            WalkStep::Chunk(at, chunk) => DecodedStep::Chunk(at, chunk, None),
            WalkStep::Bad { offset, bytes, reason } => DecodedStep::Bad(offset, bytes, reason),
        };
        if take(met, &mut spare) == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::Continue)
}

fn begin<'a>(
    trace: &Trace,
    step: WalkStep<'a>,
    wants: &dyn Fn(&RawChunk<'_>) -> bool,
    jobs: &Sender<Job<'a>>,
    spare: &mut VecDeque<Box<EventBlock>>,
) -> Coming<'a> {
    match step {
        WalkStep::Chunk(at, chunk) if wants(&chunk) => {
            if let Some(block) = trace.cache().take(at) {
                return Coming::Cached(at, chunk, block);
            }
            let (answer, result) = channel();
            // The threads are gone only after a panic, which the scope passes on.
            let _ = jobs.send(Job { chunk, block: spare.pop_front().unwrap_or_default(), answer });
            Coming::Wanted(at, chunk, result)
        }
        WalkStep::Chunk(at, chunk) => Coming::Passed(at, chunk),
        WalkStep::Bad { offset, bytes, reason } => Coming::Bad(offset, bytes, reason),
    }
}

fn work(mut decoder: Decoder, inbox: &Mutex<Receiver<Job<'_>>>, columns: Columns) {
    loop {
        let job = inbox.lock().ok().and_then(|inbox| inbox.recv().ok());
        let Some(Job { chunk, block, answer }) = job else { return };
        // Nobody waits for it any more if enough was seen.
        let _ = answer.send(decoder.decode(&chunk, columns, block));
    }
}

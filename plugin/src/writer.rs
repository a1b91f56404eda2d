//! The thread that encodes and compresses.
//!
//! In: definitions and full buffers, in the order in which the vCPU filled them. Out: the trace file. There
//! is a fixed number of buffers: if the disk is slow, the guest waits. An error stops the tracing, not the
//! guest: it is told once, and buffers are still given back.

use crate::layout;
use crate::qemu::{block_signals, report};
use crate::state::{PrefixItem, TracePrefix};
use iotrace_format::definition::Definition;
use iotrace_format::trace::writer::{TraceWriter, WriteError, create};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use thiserror::Error;

/// Words in a buffer: 1 MiB.
pub const BUFFER: usize = 128 * 1024;
/// Buffers beside the one that each vCPU fills.
const SPARE: usize = 4;
/// Definitions that wait for the next buffer, at most.
const WAITING: usize = 1024;

enum Message {
    Definitions(Vec<Definition>),
    Context(Box<TracePrefix>),
    Buffer { vcpu: u16, words: Vec<u64> },
    Finish,
}

/// Why no trace can be written.
#[derive(Debug, Error)]
#[error("cannot write the trace {}: {source}", path.display())]
pub struct StartError {
    path: PathBuf,
    source: WriteError,
}

/// The writer, as the vCPUs see it.
pub struct Writer {
    messages: SyncSender<Message>,
    /// What was defined since the last buffer was handed over.
    definitions: Mutex<Vec<Definition>>,
    spare: Mutex<Receiver<Vec<u64>>>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    finished: AtomicBool,
}

impl Writer {
    /// Creates the trace and starts the thread.
    ///
    /// # Errors
    /// [`StartError`] if the file cannot be created.
    pub fn start(path: &Path) -> Result<Self, StartError> {
        Self::begin(path).map_err(|source| StartError { path: path.to_owned(), source })
    }

    fn begin(path: &Path) -> Result<Self, WriteError> {
        let trace = TraceWriter::new(BufWriter::new(create(path)?))?;
        let (messages, inbox) = sync_channel(SPARE + 4);
        let (give_back, spare) = channel();
        for _ in 0..SPARE {
            give_back.send(Vec::with_capacity(BUFFER)).map_err(io::Error::other)?;
        }
        let failed = Arc::new(AtomicBool::new(false));
        let worker =
            Worker { path: path.to_owned(), trace: Some(trace), failed: Arc::clone(&failed), give_back };
        let thread =
            std::thread::Builder::new().name("iotrace-writer".into()).spawn(move || worker.run(&inbox))?;
        Ok(Self {
            messages,
            definitions: Mutex::default(),
            spare: Mutex::new(spare),
            failed,
            thread: Mutex::new(Some(thread)),
            finished: AtomicBool::new(false),
        })
    }

    /// Nothing can be written any more.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Adds definitions. They are handed over with the next buffer, or when there are many: most come one by one, and
    /// each message wakes the thread.
    pub fn define(&self, definitions: Vec<Definition>) {
        let waiting = self.definitions.lock().map_or(0, |mut all| {
            all.extend(definitions);
            all.len()
        });
        if waiting >= WAITING && !self.finished.load(Ordering::Relaxed) {
            self.send_definitions();
        }
    }

    /// Adds what a trace up to the present moment has to say.
    pub fn resume(&self, context: TracePrefix) {
        self.send_definitions();
        self.send(Message::Context(Box::new(context)));
    }

    /// Takes a full buffer and gives an empty one; waits if all are full. What comes after the end is dropped.
    pub fn exchange(&self, vcpu: u16, mut words: Vec<u64>) -> Vec<u64> {
        if self.finished.load(Ordering::Relaxed) {
            words.clear();
            return words;
        }
        self.send_definitions();
        self.send(Message::Buffer { vcpu, words });
        let empty = self.spare.lock().ok().and_then(|spare| spare.recv().ok());
        empty.unwrap_or_else(|| Vec::with_capacity(BUFFER))
    }

    /// Ends the trace and waits until it is written. Further calls do nothing.
    pub fn finish(&self) {
        let thread = self.thread.lock().ok().and_then(|mut t| t.take());
        if let Some(thread) = thread {
            self.send_definitions();
            self.send(Message::Finish);
            self.finished.store(true, Ordering::Relaxed);
            // A panic of the thread was printed by it; the file is then readable up to its last block.
            let _ = thread.join();
        }
    }

    fn send_definitions(&self) {
        // The lock is held while they are sent: another vCPU's buffer does not overtake its definitions.
        let Ok(mut all) = self.definitions.lock() else { return };
        if !all.is_empty() {
            self.send(Message::Definitions(std::mem::take(&mut *all)));
        }
    }

    fn send(&self, message: Message) {
        // The thread is gone only after `finish` or a panic of its own: there is nobody to write for.
        if self.messages.send(message).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

struct Worker {
    path: PathBuf,
    trace: Option<TraceWriter<BufWriter<File>>>,
    failed: Arc<AtomicBool>,
    give_back: Sender<Vec<u64>>,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Message>) {
        block_signals();
        while let Ok(message) = inbox.recv() {
            match message {
                Message::Definitions(definitions) => self.attempt(|trace| trace.definitions(&definitions)),
                Message::Context(context) => self.attempt(|trace| {
                    context.each_wanted(|held| match held {
                        PrefixItem::Definition(definition) => trace.definitions(&[definition]),
                        PrefixItem::Event(event, _) => trace.event(&event),
                    })
                }),
                Message::Buffer { vcpu, words } => self.buffer(vcpu, words),
                Message::Finish => break,
            }
        }
        if let Some(Err(error)) = self.trace.take().map(TraceWriter::finish) {
            self.fail(&error);
        }
    }

    fn buffer(&mut self, vcpu: u16, mut words: Vec<u64>) {
        self.attempt(|trace| layout::events(vcpu, &words).try_for_each(|event| trace.event(&event)));
        words.clear();
        // Nobody takes it any more when QEMU ends.
        let _ = self.give_back.send(words);
    }

    fn attempt(&mut self, write: impl FnOnce(&mut TraceWriter<BufWriter<File>>) -> Result<(), WriteError>) {
        if let Some(Err(error)) = self.trace.as_mut().map(write) {
            self.trace = None;
            self.fail(&error);
        }
    }

    fn fail(&self, error: &WriteError) {
        self.failed.store(true, Ordering::Relaxed);
        let path = self.path.display();
        report(&format!(
            "cannot write the trace {path}: {error}; tracing stops, the guest continues; the trace is \
             readable up to its last complete block"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::event::{Event, FIRST_PROBE};
    use iotrace_format::trace::reader::TraceFile;
    use iotrace_format::trace::writer::BLOCK;
    use std::io::Read;
    use std::ops::Range;
    use std::process::Command;
    use std::sync::atomic::AtomicUsize;

    /// What the guest gives in one go; the words are such that nothing can be made of them but as many bytes.
    fn fill(mut buffer: Vec<u64>, clocks: Range<usize>, random: &mut fastrand::Rng) -> Vec<u64> {
        for clock in clocks {
            let words = [(); 3].map(|()| random.u64(..));
            let clock = clock as u64;
            let event =
                Event { kind: FIRST_PROBE, vcpu: 0, clock, context: 0, task: 1, stack: 8, words: &words };
            layout::append(&mut buffer, &event);
        }
        buffer
    }

    #[test]
    fn a_terminal_is_no_file_for_a_trace() {
        // Opening it makes the controlling side of a pseudo-terminal.
        let refused = Writer::start(Path::new("/dev/ptmx")).err().expect("it is refused").to_string();
        assert!(refused.contains("it is a terminal; specify a file"), "{refused}");
    }

    #[test]
    fn the_guest_waits_for_a_slow_disk_and_nothing_is_lost() {
        const BUFFERS: usize = 60;
        const EVENTS: usize = BUFFER / layout::length(3);
        // Those to spare, the one just given, the one being encoded, those in a block that is not full.
        const BEHIND: usize = SPARE + 2 + BLOCK / EVENTS + 1;
        let path = std::env::temp_dir().join(format!("iotrace-slow-disk-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()));
        let arrived = Arc::new(AtomicUsize::new(0));
        let disk = std::thread::spawn({
            let (path, arrived) = (path.clone(), Arc::clone(&arrived));
            move || {
                let (mut pipe, mut all, mut part) = (File::open(path).unwrap(), Vec::new(), [0; 4096]);
                loop {
                    let length = pipe.read(&mut part).unwrap();
                    if length == 0 {
                        return all;
                    }
                    all.extend_from_slice(&part[..length]);
                    arrived.fetch_add(length, Ordering::Relaxed);
                }
            }
        });
        let writer = Writer::start(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut random, mut buffer) = (fastrand::Rng::with_seed(1), Vec::with_capacity(BUFFER));
        for given in 1..=BUFFERS {
            let clocks = (given - 1) * EVENTS..given * EVENTS;
            buffer = writer.exchange(0, fill(buffer, clocks, &mut random));
            let behind = given.saturating_sub(arrived.load(Ordering::Relaxed) / (EVENTS * 3 * 8));
            assert!(behind <= BEHIND, "{behind} buffers were given that did not arrive");
        }
        writer.finish();
        let trace = TraceFile::from_bytes(disk.join().unwrap()).unwrap();
        let counts = trace.index().unwrap().kinds().collect::<Vec<_>>();
        assert_eq!(counts, [(FIRST_PROBE, (BUFFERS * EVENTS) as u64)]);
    }
}

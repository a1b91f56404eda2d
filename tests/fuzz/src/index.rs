//! Indexes of traces (`TRACE.idx`) whose checksums fit: a sound one is changed as the input chooses.
//!
//! An index is that of one trace and of one state of the library's sources, so that no file of it would be of use for long:
//! what an input has are changes. The layout is that of the module `index` of the analyzer.

use crate::choices::Choices;
use crate::guests::guests;
use iotrace::analysis::path::path;
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::timeline::timeline;
use iotrace::analysis::why::why;
use iotrace::{IndexUse, Session, SessionOptions};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes behind the contents: their length, their checksum, the magic.
const TAIL: usize = 24;
/// Bytes of an entry; the last 8 are its checksum.
const ENTRY: usize = 48;

/// `Section`: offset and length.
type Section = (u64, u64);
/// `CheckpointPlace`: clock, offset in the trace, section, checksum.
type Checkpoint = (u64, u64, Section, u64);
/// `Contents`: sources, identity, lost, tables (section and first number), links, system calls, slowest, checkpoints.
type Contents =
    (String, u64, Option<String>, [(Section, u64); 3], Section, Vec<String>, Vec<u64>, Vec<Checkpoint>);

/// A trace in a file of its own, with its index.
struct Indexed {
    _folder: TempDir,
    trace: PathBuf,
    index: PathBuf,
    /// Of the index: what stands before the contents, and the contents.
    body: Vec<u8>,
    contents: Contents,
}

impl Indexed {
    fn new(trace: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, index) = (folder.path().join("t.iot"), folder.path().join("t.iot.idx"));
        std::fs::write(&path, trace).expect("space in the temporary folder");
        open(&path).build_index(&mut |_| {}).expect("an index can be made");
        let mut body = std::fs::read(&index).expect("it was made");
        let end = body.len() - TAIL;
        let length = u64::from_le_bytes(body[end..end + 8].try_into().expect("8 bytes")) as usize;
        let (contents, _) = bincode::decode_from_slice(&body[end - length..end], bincode::config::standard())
            .expect("as above");
        body.truncate(end - length);
        Self { _folder: folder, trace: path, index, body, contents }
    }

    /// The file of these contents, sound to see.
    fn file(body: &[u8], contents: &Contents) -> Vec<u8> {
        let bytes = bincode::encode_to_vec(contents, bincode::config::standard()).expect("it encodes");
        let (length, sum) = ((bytes.len() as u64).to_le_bytes(), xxh3_64(&bytes).to_le_bytes());
        [body, &bytes, &length, &sum, &body[..8]].concat()
    }

    /// A question needs the index, and is answered whatever that is.
    fn ask(&self, question: usize) -> Vec<String> {
        let session = open(&self.trace);
        for number in 1..4 {
            let wanted =
                [Wanted::Io(number), Wanted::Bio(number), Wanted::Syscall("write".into(), number as usize)];
            match question {
                0 => _ = path(&session, &wanted[0], &mut |_| {}).expect("it is made again"),
                1 => _ = path(&session, &wanted[1], &mut |_| {}).expect("it is made again"),
                2 => _ = timeline(&session, number, &mut |_| {}).expect("it is made again"),
                3 => _ = why(&session, &wanted[2], &mut |_| {}).is_ok(),
                4 => _ = session.slowest(&mut |_| {}).expect("it is made again"),
                _ => _ = session.lost(&mut |_| {}).expect("it is made again"),
            }
        }
        session.take_messages().iter().map(ToString::to_string).collect()
    }
}

fn open(trace: &Path) -> Session {
    let options = SessionOptions { threads: Some(1), index: IndexUse::Beside, ..SessionOptions::default() };
    Session::open(trace, options).expect("it is a trace")
}

fn traces() -> &'static [Indexed] {
    static TRACES: OnceLock<Vec<Indexed>> = OnceLock::new();
    TRACES.get_or_init(|| {
        let all: Vec<_> = [1, 2, 5].iter().map(|at| Indexed::new(&guests()[*at].file_in_blocks(5))).collect();
        for indexed in &all {
            let same = Indexed::file(&indexed.body, &indexed.contents);
            std::fs::write(&indexed.index, same).expect("space in the temporary folder");
            assert_eq!(indexed.ask(0), [""; 0], "an index that was not changed is used");
        }
        all
    })
}

/// Choices: of a trace, of a question, of changes of the index.
pub fn index(data: &[u8]) {
    let mut choices = Choices::new(data);
    let traces = traces();
    let indexed = &traces[choices.below(traces.len())];
    let question = choices.below(6);
    let (mut body, mut contents) = (indexed.body.clone(), indexed.contents.clone());
    for _ in 0..32 {
        if choices.is_over() {
            break;
        }
        change(&mut body, &mut contents, &mut choices);
    }
    let mut file = Indexed::file(&body, &contents);
    if choices.byte() == 1 {
        let at = choices.below(file.len());
        file[at] ^= choices.byte();
    }
    std::fs::write(&indexed.index, file).expect("space in the temporary folder");
    indexed.ask(question);
}

fn change(body: &mut Vec<u8>, contents: &mut Contents, choices: &mut Choices<'_>) {
    let (_, identity, lost, tables, links, syscalls, slowest, checkpoints) = contents;
    match choices.byte() % 10 {
        0 => entry(body, tables[choices.below(3)], choices.byte() as usize % 3, choices),
        1..=3 => {
            let at = choices.below(3);
            entry(body, tables[at], at, choices);
        }
        4 => {
            let (section, first) = &mut tables[choices.below(3)];
            match choices.byte() % 3 {
                0 => section.0 = choices.number(),
                1 => section.1 = choices.number(),
                _ => *first = choices.number(),
            }
        }
        5 => *[&mut links.0, &mut links.1][choices.below(2)] = choices.number(),
        6 => syscalls.truncate(choices.below(4)),
        7 => slowest.push(choices.number()),
        8 => {
            let at = choices.below(checkpoints.len());
            if let Some(checkpoint) = checkpoints.get_mut(at) {
                self::checkpoint(body, checkpoint, choices);
            }
        }
        _ if choices.byte() & 1 == 0 => *lost = Some("µ".repeat(choices.below(5000))),
        _ => *identity ^= u64::from(choices.byte() == 0),
    }
}

/// Changes an entry of a table, and its checksum (see `Entry::bytes`).
fn entry(body: &mut [u8], (section, first): (Section, u64), table: usize, choices: &mut Choices<'_>) {
    let place = choices.below(section.1.min(1 << 16) as usize) as u64;
    let at = section.0.saturating_add(place * ENTRY as u64);
    let Some(bytes) = usize::try_from(at).ok().and_then(|at| body.get_mut(at..)?.get_mut(..ENTRY)) else {
        return;
    };
    let (field, width) =
        [(0, 8), (8, 8), (16, 8), (24, 4), (28, 4), (32, 2), (34, 2), (36, 4)][choices.below(8)];
    bytes[field..field + width].copy_from_slice(&choices.number().to_le_bytes()[..width]);
    let mut summed = [0; 56];
    summed[..40].copy_from_slice(&bytes[..40]);
    summed[40..48].copy_from_slice(&first.wrapping_add(place).to_le_bytes());
    summed[48] = table as u8;
    bytes[40..].copy_from_slice(&xxh3_64(&summed).to_le_bytes());
}

/// Changes where a checkpoint is, or the state that it has; of that, the checksum fits.
fn checkpoint(body: &mut Vec<u8>, checkpoint: &mut Checkpoint, choices: &mut Choices<'_>) {
    let (clock, offset, (begin, length), sum) = checkpoint;
    match choices.byte() % 8 {
        0 => *clock = choices.number(),
        1 => *offset = choices.number(),
        2 => *begin = choices.number(),
        3 => *length = choices.number(),
        _ => {
            let packed = body.get(*begin as usize..).and_then(|rest| rest.get(..*length as usize));
            let state = packed.and_then(|packed| zstd::bulk::decompress(packed, 1 << 20).ok());
            let Some(mut state) = state.filter(|state| !state.is_empty()) else { return };
            for _ in 0..choices.below(4) + 1 {
                let at = choices.below(state.len());
                match choices.byte() % 4 {
                    0 => state[at] ^= 1 << (choices.byte() % 8),
                    1 => state[at] = choices.byte(),
                    2 => state.insert(at, choices.byte()),
                    _ => {
                        _ = state.splice(at..at + 1, [253].into_iter().chain(choices.number().to_le_bytes()))
                    }
                }
            }
            let packed = zstd::bulk::compress(&state, 1).expect("it can be compressed");
            (*begin, *length, *sum) = (body.len() as u64, packed.len() as u64, xxh3_64(&packed));
            body.extend(packed);
        }
    }
}

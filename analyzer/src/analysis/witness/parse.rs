//! The text that the kernel's tracing prints (include/trace/events/block.h).

use crate::model::{BlockEvent, BlockKind, Task, major_minor};
use std::fmt;
use thiserror::Error;

/// What a tracepoint says, in the form in which both sides are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// The tracepoint.
    pub kind: BlockKind,
    /// Major and minor number of the device.
    pub dev: (u64, u64),
    /// Letters of operation and flags.
    pub rwbs: String,
    /// First sector. A request without one is 0 here, whichever way the kernel's version prints it.
    pub sector: u64,
    /// Sectors; of a split, the sector at which the rest begins.
    pub sectors: u64,
    /// Thread id of the current task; none if it is not told, or not known.
    pub pid: Option<u32>,
    /// Name of the current task; none if the tracepoint does not have it, or if it is not known.
    pub comm: Option<String>,
}

impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dev: (major, minor), rwbs, sector, sectors, kind, pid, comm } = self;
        let sign = if *kind == BlockKind::Split { '/' } else { '+' };
        write!(f, "{major},{minor} {rwbs} {sector} {sign} {sectors}")?;
        match (comm, pid) {
            (Some(comm), Some(pid)) => write!(f, " [{comm}/{pid}]"),
            (Some(comm), None) => write!(f, " [{comm}]"),
            (None, Some(pid)) => write!(f, " [pid {pid}]"),
            (None, None) => Ok(()),
        }
    }
}

impl Saying {
    /// What we say.
    #[must_use]
    pub fn of(event: &BlockEvent) -> Self {
        let sector = if event.sector == u64::MAX { 0 } else { event.sector };
        let (dev, rwbs) = (major_minor(event.dev), event.op.rwbs());
        let task = Some(event.task).filter(Task::is_known);
        let comm = task.filter(|_| has_comm(event.kind)).map(|task| task.comm.text().into_owned());
        let pid = task.map(|task| task.pid);
        Self { kind: event.kind, dev, rwbs, sector, sectors: event.sectors, pid, comm }
    }

    /// Of a request that has neither a sector nor bytes: it has no bio.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        (self.sector, self.sectors) == (0, 0)
    }

    /// Without the thread id, if the other side does not tell any.
    #[must_use]
    pub fn with_pid_if(self, told: bool) -> Self {
        Self { pid: self.pid.filter(|_| told), ..self }
    }
}

/// Whether a tracepoint has the name of the current task, in brackets. In those of an end, an error is there.
fn has_comm(kind: BlockKind) -> bool {
    !matches!(kind, BlockKind::RqRequeue | BlockKind::RqComplete | BlockKind::BioComplete)
}

/// A line that is a block tracepoint's, but not of the form expected.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: not the format of {tracepoint}: {text:?}")]
pub struct ParseError {
    /// Number of the line, from 1.
    pub line: usize,
    /// The tracepoint.
    pub tracepoint: &'static str,
    /// What follows its name.
    pub text: String,
}

/// Takes the block tracepoints out of a text of the kernel's tracing; other lines are passed over.
///
/// # Errors
/// [`ParseError`] for the first line of a known tracepoint that is malformed.
pub fn parse(text: &str) -> Result<Vec<Saying>, ParseError> {
    let mut sayings = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if content.starts_with('#') {
            continue;
        }
        let found = BlockKind::ALL.into_iter().find_map(|kind| {
            // function_graph prints other tracepoints as comments.
            let begins = [": ", "/* "].map(|before| format!("{before}{}: ", kind.name()));
            begins.iter().find_map(|begin| Some((kind, content.split_once(begin.as_str())?)))
        });
        let Some((kind, (before, rest))) = found else { continue };
        let malformed = || ParseError { line, tracepoint: kind.name(), text: rest.to_owned() };
        let saying = saying(kind, rest).ok_or_else(malformed)?;
        sayings.push(Saying { pid: pid(before), ..saying });
    }
    Ok(sayings)
}

/// `8,0 WS 4096 () 1234 + 8 [comm]`, where bytes and `()` are only some tracepoints'. Since 6.8 an
/// I/O priority (`none,0,0`) stands before the last bracket.
fn saying(kind: BlockKind, text: &str) -> Option<Saying> {
    let mut words = text.split_whitespace();
    let (major, minor) = words.next()?.split_once(',')?;
    let rwbs = words.next()?.to_owned();
    let numbers: Vec<&str> = words.collect();
    let sign = if kind == BlockKind::Split { "/" } else { "+" };
    let at = numbers.iter().position(|word| *word == sign)?;
    let sector = numbers.get(at.checked_sub(1)?)?.parse().ok()?;
    let sectors = numbers.get(at + 1)?.parse().ok()?;
    let sector = if sector == u64::MAX { 0 } else { sector };
    let dev = (major.parse().ok()?, minor.parse().ok()?);
    let comm = if has_comm(kind) { Some(comm(text)?) } else { None };
    Some(Saying { kind, dev, rwbs, sector, sectors, pid: None, comm })
}

/// The name in the brackets behind the numbers, in which brackets may be too, as [`crate::model::Comm`] has it as text.
fn comm(text: &str) -> Option<String> {
    let (_, name) = text.split_once(" [")?;
    let (name, _) = name.rsplit_once(']')?;
    Some(name.replace(char::is_control, "?"))
}

/// The thread id in what stands before a tracepoint's name: `loop-write-85      [000] .....     3.123456`, or
/// ` 0)   loop-wr-85     |               |        ` if function_graph was told to print tasks. The name beside it is not
/// that of the moment, but the last that the kernel's tracing saw; there may be anything in it.
fn pid(before: &str) -> Option<u32> {
    let of_graph = before.trim_end().strip_suffix('|').and_then(|before| before.rsplit_once('|'));
    let (task, _) = of_graph.or_else(|| before.rsplit_once(" ["))?;
    task.trim_end().rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_all_tracepoints_are_read() {
        let text = "\
# tracer: nop
      loop-write-85      [000] .....     3.123456: block_bio_queue: 8,0 WS 1234 + 8 [loop-write]
      loop-write-85      [000] d..1.     3.123457: block_rq_issue: 8,0 FWFSM 4096 () 1234 + 8 [a + b c]
          <idle>-0       [000] d.h1.     3.2: block_rq_complete: 8,0 N () 18446744073709551615 + 0 [0]
          <idle>-0       [000] d.h1.     3.2: block_rq_complete: 8,0 R () 16 + 0 none,0,0 [-5]
      loop-write-85      [000] .....     3.3: block_split: 8,0 W 100 / 50 [fio]
      loop-write-85      [000] .....     3.3: block_unplug: [fio] 1
 0)   loop-wr-85     |               |        /* block_rq_insert: 8,0 RM 4096 () 32 + 8 [loop-write] */
   a [1] | b-2-7     [000] .....     3.4: block_getrq: 8,0 R 32 + 8 [a [1] | b-2]
 0)               |        /* block_getrq: 8,0 R 32 + 8 [dd] */
";
        let all: Vec<_> = parse(text).unwrap().iter().map(|s| (s.kind, s.to_string())).collect();
        let of = |kind, text: &str| (kind, text.to_owned());
        assert_eq!(
            all,
            [
                of(BlockKind::BioQueue, "8,0 WS 1234 + 8 [loop-write/85]"),
                of(BlockKind::RqIssue, "8,0 FWFSM 1234 + 8 [a + b c/85]"),
                of(BlockKind::RqComplete, "8,0 N 0 + 0 [pid 0]"),
                of(BlockKind::RqComplete, "8,0 R 16 + 0 [pid 0]"),
                of(BlockKind::Split, "8,0 W 100 / 50 [fio/85]"),
                of(BlockKind::RqInsert, "8,0 RM 32 + 8 [loop-write/85]"),
                of(BlockKind::GetRq, "8,0 R 32 + 8 [a [1] | b-2/7]"),
                of(BlockKind::GetRq, "8,0 R 32 + 8 [dd]"),
            ]
        );
    }

    #[test]
    fn a_malformed_line_is_named() {
        let error = parse("x\n a-1 [000] . 1.0: block_bio_queue: nonsense").unwrap_err();
        assert_eq!((error.line, error.tracepoint), (2, "block_bio_queue"));
    }
}

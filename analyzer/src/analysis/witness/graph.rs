//! The text that the kernel's function_graph tracer prints (kernel/trace/trace_functions_graph.c).
//!
//! In: lines of a CPU, a task, a duration and a piece of C-like text. Out: entries and returns, in their order.
//!
//! ```text
//! # traced: vfs_write                      a function that the tracer follows (scripts/guest/witness writes it)
//! # CPU  TASK/PID     DURATION       FUNCTION CALLS
//!  0)  init-1     |               |  vfs_write() {              an entry
//!  0)  init-1     |   2.764 us    |    xfs_ilock [xfs]();       an entry and its return
//!  0)  init-1     |               |    /* block_plug: [dd] */   another tracepoint
//!  0)  init-1     | + 13.536 us   |  } /* vfs_write */          a return (the name with funcgraph-tail)
//!  ------------------------------------------
//!  0)  init-1     =>  sh-120                                    another task runs
//! ```

use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use thiserror::Error;

/// What the tracer is asked to follow is in lines that begin so.
const TRACED: &str = "# traced: ";
const TRACER: &str = "# tracer: function_graph";

/// Whether a function is entered or returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Entered.
    In,
    /// Returns.
    Out,
}

/// An entry or a return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphStep {
    /// Number of the line, from 1.
    pub line: usize,
    /// Process id of the task; 0 for an idle one.
    pub pid: u32,
    /// Which it is.
    pub way: Way,
    /// Its symbol, with its module in brackets.
    pub function: String,
    /// Number of the call, from 0 in the order of the entries.
    pub call: usize,
}

/// What function_graph saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// The functions that it followed, and how many bear each name; empty if that is not known.
    pub traced: BTreeMap<String, usize>,
    /// Entries and returns.
    pub steps: Vec<GraphStep>,
    /// Calls.
    pub calls: usize,
    /// Returns from calls whose entry was not seen.
    pub without_entry: usize,
}

/// A text of function_graph that cannot be read exactly.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphError {
    /// The option `funcgraph-proc` was off.
    #[error("function_graph log without tasks: record with the option funcgraph-proc")]
    WithoutTasks,
    /// More than one CPU: their lines are in no order that could be compared.
    #[error("line {line} is of CPU {cpu}, earlier lines of CPU {other}: only one CPU can be compared")]
    Cpus {
        /// Number of the line.
        line: usize,
        /// Its CPU.
        cpu: u32,
        /// The one before.
        other: u32,
    },
    /// The tracer had no more room.
    #[error("function_graph lost events before line {0}")]
    Lost(usize),
    /// No form that is known.
    #[error("line {line}: not function_graph format: {text:?}")]
    Form {
        /// Number of the line.
        line: usize,
        /// The line.
        text: String,
    },
    /// A brace closes another function than the one that is open.
    #[error("line {line}: return of {closes} in {open}")]
    Closes {
        /// Number of the line.
        line: usize,
        /// What it closes.
        closes: String,
        /// What is open.
        open: String,
    },
}

/// Reads the calls out of a text of the kernel's tracing; none if it is not function_graph's.
///
/// # Errors
/// [`GraphError`] for the first line that leaves a doubt.
pub fn parse(text: &str) -> Result<Option<Graph>, GraphError> {
    let mut reader = Reader::default();
    let mut found = false;
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(name) = content.strip_prefix(TRACED) {
            *reader.graph.traced.entry(one_name(name.trim_end())).or_default() += 1;
        } else if content.starts_with('#') {
            found |= content.starts_with(TRACER);
            reader.header(content);
        } else if found {
            reader.line(line, content)?;
        }
    }
    Ok(found.then_some(reader.graph))
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    tasks: bool,
    durations: bool,
    cpu: Option<u32>,
    /// Open calls of each task, with their functions.
    open: FxHashMap<u32, Vec<(usize, String)>>,
}

impl Reader {
    fn header(&mut self, text: &str) {
        self.tasks |= text.contains("TASK/PID");
        self.durations |= text.contains("DURATION");
    }

    fn line(&mut self, line: usize, content: &str) -> Result<(), GraphError> {
        if content.contains("LOST") && content.contains("EVENTS]") {
            return Err(GraphError::Lost(line));
        }
        // Separators of tasks, arrows of interrupts, empty lines.
        let bare = content.trim();
        let arrow = bare.contains("=====") || !bare.contains('|') && bare.contains("=>");
        if arrow || bare.trim_matches('-').is_empty() {
            return Ok(());
        }
        if !self.tasks {
            return Err(GraphError::WithoutTasks);
        }
        let malformed = || GraphError::Form { line, text: content.to_owned() };
        let (cpu, pid, text) = columns(content, self.durations).ok_or_else(malformed)?;
        let other = *self.cpu.get_or_insert(cpu);
        if other != cpu {
            return Err(GraphError::Cpus { line, cpu, other });
        }
        if let Some(closing) = text.strip_prefix('}') {
            return self.leave(line, pid, comment(closing).and_then(name));
        }
        if text.starts_with("/*") {
            return Ok(());
        }
        let function = name(text).ok_or_else(malformed)?;
        let behind = text.rsplit_once(')').ok_or_else(malformed)?.1;
        self.enter(line, pid, function);
        match behind.trim_start().as_bytes().first() {
            Some(b'{') => Ok(()),
            Some(b';') => self.leave(line, pid, None),
            _ => Err(malformed()),
        }
    }

    fn enter(&mut self, line: usize, pid: u32, function: String) {
        let call = self.graph.calls;
        self.graph.calls += 1;
        self.open.entry(pid).or_default().push((call, function.clone()));
        self.graph.steps.push(GraphStep { line, pid, way: Way::In, function, call });
    }

    fn leave(&mut self, line: usize, pid: u32, closes: Option<String>) -> Result<(), GraphError> {
        let Some((call, function)) = self.open.get_mut(&pid).and_then(Vec::pop) else {
            self.graph.without_entry += 1;
            return Ok(());
        };
        match closes {
            Some(closes) if closes != function => Err(GraphError::Closes { line, closes, open: function }),
            _ => {
                self.graph.steps.push(GraphStep { line, pid, way: Way::Out, function, call });
                Ok(())
            }
        }
    }
}

/// The name under which a function is compared. Up to 4.16 the system calls have two at one address, `sys_x` and `SyS_x`
/// (include/linux/syscalls.h), of which the kernel prints one.
pub fn one_name(symbol: &str) -> String {
    match symbol.strip_prefix("SyS_") {
        Some(call) => format!("sys_{call}"),
        None => symbol.to_owned(),
    }
}

/// CPU, process id and text of a line. What stands before the CPU is a time (funcgraph-abstime).
fn columns(content: &str, durations: bool) -> Option<(u32, u32, &str)> {
    let (before, rest) = content.split_once(')')?;
    let cpu = before.rsplit('|').next()?.trim().parse().ok()?;
    let (task, mut rest) = rest.split_once('|')?;
    let pid = task.trim().rsplit_once('-')?.1.parse().ok()?;
    if durations {
        rest = rest.split_once('|')?.1;
    }
    Some((cpu, pid, rest.trim()))
}

/// What a comment says.
fn comment(text: &str) -> Option<&str> {
    Some(text.trim().strip_prefix("/*")?.strip_suffix("*/")?.trim())
}

/// `f`, or `f [module]`, of which newer kernels print arguments and what is returned as well.
fn name(text: &str) -> Option<String> {
    let text = text.split(['(', '=']).next()?.trim();
    let mut words = text.split_whitespace();
    let function = words.next()?;
    let module = words.next().filter(|word| word.starts_with('[') && word.ends_with(']'));
    Some(module.map_or_else(|| one_name(function), |module| format!("{function} {module}")))
}

#[cfg(test)]
mod tests;

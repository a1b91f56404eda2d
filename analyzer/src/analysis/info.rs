//! What is in the file.

use super::{Progress, Warning, warnings};
use crate::context::TimeKeeper;
use crate::model::{Definitions, TimeMap, WorkloadMark};
use crate::reader::{Census, Flow, Needs, Trace, Visitor, census, definitions, read};
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, IDLE, MARK, MODULE_LOAD, MODULE_UNLOAD, SHUTDOWN, ShutdownReason};
use iotrace_format::trace::reader::ReadError;

/// What is in a file.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// Sizes.
    pub census: Census,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
    /// Modules coming and going: clock, number, whether it came.
    pub modules: Vec<(u64, u64, bool)>,
    /// When the kernel ended, in instructions, and how, if the trace says it and this version knows it.
    pub shutdown: Option<(u64, Option<ShutdownReason>)>,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// Times the instruction count was set right, and by how many instructions at most.
    pub corrections: (u64, u64),
    /// Times a vCPU halted.
    pub halts: u64,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// What the index and the definitions tell, however long the trace is; none without an index.
///
/// # Errors
/// [`ReadError`].
pub fn beginning(file: &Trace) -> Result<Option<Info>, ReadError> {
    if file.index().is_none() {
        return Ok(None);
    }
    let definitions = definitions(file)?;
    Ok(Some(Info { definitions, census: census(file), ..Info::default() }))
}

/// Looks up what the index tells, and reads the landmarks; all events of a file that was cut.
///
/// # Errors
/// [`ReadError`].
pub fn info(file: &Trace, progress: Progress<'_>) -> Result<Info, ReadError> {
    let mut counter = Counter::default();
    let finished = read(file, &mut counter, progress)?;
    let warnings = warnings(&finished);
    Ok(Info {
        census: census(file),
        time: counter.keeper.map().clone(),
        corrections: (counter.keeper.corrections, counter.keeper.largest),
        warnings,
        cut: finished.lost(),
        definitions: finished.definitions,
        ..counter.info
    })
}

#[derive(Default)]
struct Counter {
    keeper: TimeKeeper,
    info: Info,
}

impl Visitor for Counter {
    fn needs(&self) -> Needs {
        Needs::LANDMARKS
    }

    fn define(&mut self, definition: &Definition) {
        self.keeper.define(definition);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.keeper.event(event);
        let word = event.words.first().copied().unwrap_or(0);
        match event.kind {
            k if k == MARK.id => self.info.marks.push(WorkloadMark { clock: event.clock, code: word }),
            k if k == MODULE_LOAD.id => self.info.modules.push((event.clock, word, true)),
            k if k == MODULE_UNLOAD.id => self.info.modules.push((event.clock, word, false)),
            k if k == SHUTDOWN.id => self.info.shutdown = Some((event.clock, ShutdownReason::of_word(word))),
            k if k == IDLE.id => self.info.halts += 1,
            _ => {}
        }
        Flow::Continue
    }
}

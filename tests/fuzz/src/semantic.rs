//! Traces whose checksums fit and whose blocks decode, with contents that no guest has.
//!
//! In: choices. One of the small guests is changed, event by event and definition by definition, written as the plugin
//! writes it, and asked one thing.

use crate::choices::Choices;
use crate::edits::{definition, event};
use crate::guests::guests;
use crate::trace::{QUESTIONS, ask};
use iotrace::Session;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, MAX_WORDS};
use iotrace_format::trace::writer::{TraceWriter, WriteError};
use iotrace_synthetic_guest::SyntheticGuest;

/// Most changes of a trace, and most events it may grow to.
const EDITS: usize = 64;
/// Most events that a trace may grow to.
pub(crate) const EVENTS: usize = 2048;

/// How a trace is written.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Events in a block.
    block: usize,
    /// Events take turns on so many vCPUs.
    vcpus: u16,
    /// It is a part of a trace: its events have numbers.
    part: bool,
    /// Definitions stand before blocks in the middle of the file as well.
    late: bool,
}

/// Choices: of a guest, of its changes, of a question.
pub fn semantic(data: &[u8]) {
    let mut choices = Choices::new(data);
    let question = choices.below(QUESTIONS);
    let Ok(file) = changed(&mut choices) else { return };
    let session = Session::from_bytes(file).expect("its header is sound");
    ask(&session, question);
}

/// The file of a guest that was changed.
///
/// # Errors
/// Those of the writer: a definition may be too large for it.
pub fn changed(choices: &mut Choices<'_>) -> Result<Vec<u8>, WriteError> {
    let all = guests();
    let mut guest = all[choices.below(all.len())].clone();
    let flags = choices.byte();
    let form = Form {
        block: [16, 64, 5, 1000][usize::from(flags & 3)],
        vcpus: [1, 1, 1, 1, 1, 2, 2, 3][usize::from(flags >> 2 & 7)],
        part: flags >> 5 & 3 == 3,
        late: flags >> 7 == 1,
    };
    for _ in 0..EDITS {
        if choices.is_over() {
            break;
        }
        if choices.byte().is_multiple_of(3) {
            definition(&mut guest, choices)
        } else {
            event(&mut guest, choices)
        }
    }
    written(&guest, form)
}

fn written(guest: &SyntheticGuest, form: Form) -> Result<Vec<u8>, WriteError> {
    let mut writer = if form.part { TraceWriter::part(Vec::new())? } else { TraceWriter::new(Vec::new())? };
    let (first, rest) = match form.late {
        true => guest.definitions.split_at(guest.definitions.len() / 2),
        false => (&guest.definitions[..], &[][..]),
    };
    writer.definitions(first)?;
    let mut number = 0;
    for (at, events) in guest.events.chunks(form.block).enumerate() {
        if at == 1 {
            writer.definitions(rest)?;
        }
        for owned in events {
            number += 1;
            let words = &owned.words[..owned.words.len().min(MAX_WORDS)];
            let event = Event { vcpu: number as u16 % form.vcpus, words, ..owned.event() };
            match form.part {
                true => writer.numbered_event(number * 3, &event)?,
                false => writer.event(&event)?,
            }
        }
        writer.flush()?;
    }
    writer.finish()
}

/// The definitions that say what the words of events are.
pub(crate) fn probes(guest: &mut SyntheticGuest) -> Vec<&mut iotrace_format::definition::Probe> {
    let probes = guest.definitions.iter_mut().filter_map(|definition| match definition {
        Definition::Probe(probe) => Some(probe),
        _ => None,
    });
    probes.collect()
}

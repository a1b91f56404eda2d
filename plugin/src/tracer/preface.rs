//! What a trace says of itself before its first event.
//!
//! In: the profile. Out: definitions of what the plugin records itself, of constants and devices, and notes about
//! what the catalog has and this kernel has not.

use crate::args::Mode;
use iotrace_format::definition::{Definition, Kind, Note, Severity};
use iotrace_format::event::BUILTINS;
use iotrace_format::stage::Stage;
use iotrace_profile::Profile;

/// All that does not depend on where the kernel is.
pub fn definitions(profile: &Profile, mode: Mode) -> Vec<Definition> {
    let kind = |k: &iotrace_format::event::Builtin| {
        let words = k.words.iter().map(|w| (*w).to_owned()).collect();
        Definition::Kind(Kind { id: k.id, name: k.name.into(), words })
    };
    let missing = profile.missing.iter().map(|m| {
        let topic = if m.partial { "partial-function" } else { "missing-function" };
        Definition::Note(Note {
            severity: Severity::Info,
            topic: topic.into(),
            text: format!("{}: {}", m.function, m.reason),
        })
    });
    let mut all: Vec<_> = BUILTINS.iter().map(kind).collect();
    all.extend(profile.constants.iter().cloned().map(Definition::Constant));
    all.extend(profile.devices.iter().cloned().map(Definition::Device));
    all.extend(missing);
    all.extend(shortcomings(profile, mode));
    all
}

/// What a reader may look for in vain, and why.
fn shortcomings(profile: &Profile, mode: Mode) -> impl Iterator<Item = Definition> {
    let stages = (!profile.missing_stages.is_empty()).then(|| {
        let stages = Vec::from_iter(profile.missing_stages.iter().map(Stage::name)).join(", ");
        ("missing-stages", format!("stages without a probe: {stages}"))
    });
    let bare = (!profile.lines).then(|| {
        let adds = "no kernel debug info: source files and lines and inlined functions are missing";
        ("no-debug-info", adds.to_owned())
    });
    let thin = (mode == Mode::Thin).then(|| {
        let lacks = "recorded with mode=thin, without function arguments: bios, requests, files, sizes and \
                     hand-offs are unknown";
        ("thin", lacks.to_owned())
    });
    let note = |severity| {
        move |(topic, text): (&str, String)| Definition::Note(Note { severity, topic: topic.into(), text })
    };
    let infos = stages.into_iter().chain(bare).chain(thin).map(note(Severity::Info));
    let contexts = profile.context.preempt_count.is_none().then(|| {
        let lacks = "preempt_count not found in this kernel: the context of events (task, softirq or \
                     interrupt) is unknown";
        ("contexts", lacks.to_owned())
    });
    infos.chain(contexts.map(note(Severity::Warning)))
}

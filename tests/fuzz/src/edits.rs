//! Changes of a guest's events and definitions, as an input chooses them.

use crate::choices::Choices;
use crate::semantic::{EVENTS, probes};
use iotrace_format::definition::{
    AddressName, At, CallCost, CallSite, Constant, Definition, HandOffPoint, HandOffTarget, Kind, Module,
    ObjectKind, ObjectNumber, OriginStep, OriginTask, PartBegin, PendingHandOff, Probe, ReturnType,
    RunningTask, SiteFrame, Success,
};
use iotrace_format::event::BUILTINS;
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_synthetic_guest::{Owned, SyntheticGuest};

/// Changes some of the events.
pub fn event(guest: &mut SyntheticGuest, choices: &mut Choices<'_>) {
    let count = guest.events.len();
    let (at, other) = (choices.below(count), choices.below(count));
    let Some(taken) = guest.events.get(other).cloned() else { return };
    match choices.byte() % 16 {
        0 => guest.events[at].clock = taken.clock.saturating_add(choices.number()),
        1 => guest.events[at].clock = choices.number(),
        2 => {
            guest.events[at].context = [0, 0x100, 0x1_0000, 0x10_0000, 1 << 30, 0x0f0f_ff00][choices.below(6)]
        }
        3 => guest.events[at].context = choices.number() as u32,
        4 => guest.events[at].task = if choices.byte() & 1 == 0 { taken.task } else { choices.number() },
        5 => guest.events[at].stack = choices.number(),
        6 => set_word(&mut guest.events[at], choices.number(), choices),
        7 => set_word(&mut guest.events[at], taken.words.first().copied().unwrap_or(0), choices),
        8 => guest.events[at].words.resize(choices.below(40), 1),
        9 => guest.events[at].kind = taken.kind,
        10 => guest.events[at].kind = kind(choices),
        11 => _ = guest.events.remove(at),
        12 => guest.events.swap(at, other),
        13 => guest.events.insert(at, Owned { clock: guest.events[at].clock, ..taken }),
        14 => builtin(guest, at, choices),
        _ => repeat(guest, (at, other), choices),
    }
}

/// The number of an event type: large ones cost the writer much, so they are few.
fn kind(choices: &mut Choices<'_>) -> u16 {
    let large = choices.byte() == 7;
    choices.number() as u16 & if large { u16::MAX } else { 0xff }
}

fn set_word(event: &mut Owned, value: u64, choices: &mut Choices<'_>) {
    let at = choices.below(event.words.len());
    if let Some(word) = event.words.get_mut(at) {
        *word = value;
    }
}

/// An event of the plugin's own, with any words.
fn builtin(guest: &mut SyntheticGuest, at: usize, choices: &mut Choices<'_>) {
    let of = BUILTINS[choices.below(BUILTINS.len())];
    let words = of.words.iter().map(|_| choices.number()).collect();
    let like = guest.events[at].clone();
    guest.events.insert(at, Owned { kind: of.id, words, ..like });
}

/// Some events over and over, perhaps at later clocks.
fn repeat(guest: &mut SyntheticGuest, (from, to): (usize, usize), choices: &mut Choices<'_>) {
    let part = guest.events[from.min(to)..from.max(to)].to_vec();
    let (times, shift) = (choices.below(32), choices.number());
    for number in 0..times as u64 {
        if guest.events.len() + part.len() > EVENTS {
            return;
        }
        let moved = |event: &Owned| Owned {
            clock: event.clock.saturating_add(shift.saturating_mul(number)),
            ..event.clone()
        };
        let moved: Vec<_> = part.iter().map(moved).collect();
        guest.events.extend(moved);
    }
}

/// Changes, adds or removes a definition.
pub fn definition(guest: &mut SyntheticGuest, choices: &mut Choices<'_>) {
    match choices.byte() % 8 {
        0..=3 => {
            let mut all = probes(guest);
            let (at, other) = (choices.below(all.len()), choices.below(all.len()));
            let Some(taken) = all.get(other).map(|probe| (*probe).clone()) else { return };
            probe(all[at], &taken, choices);
        }
        4 => {
            let added = new(choices);
            let at = choices.below(guest.definitions.len());
            guest.definitions.insert(at, added);
        }
        5 => _ = guest.definitions.remove(choices.below(guest.definitions.len())),
        6 => {
            let taken = guest.definitions[choices.below(guest.definitions.len())].clone();
            guest.definitions.push(taken);
        }
        _ => trace_info(guest, choices),
    }
    if guest.definitions.is_empty() {
        guest.definitions.push(new(choices));
    }
}

fn probe(probe: &mut Probe, taken: &Probe, choices: &mut Choices<'_>) {
    match choices.byte() % 12 {
        0 => probe.stage = Some(stage(choices)),
        1 => probe.stage = taken.stage.clone(),
        2 => probe.at = [At::Entry, At::Exit, At::Inlined, At::Inserted][choices.below(4)],
        3 => probe.roles = taken.roles.clone(),
        4 => {
            let role = Role::ALL[choices.below(Role::ALL.len())];
            let at = choices.below(probe.words.len());
            probe.roles.resize(probe.roles.len().max(at + 1), None);
            probe.roles[at] = Some(role);
        }
        5 => probe.words = taken.words.clone(),
        6 => probe.words.resize(choices.below(40), text(choices)),
        7 => probe.id = kind(choices),
        8 => probe.layer = Layer::ALL[choices.below(Layer::ALL.len())],
        9 => probe.inside = vec![text(choices); choices.below(70)],
        10 => {
            probe.success =
                [None, Some(Success::NonZero), Some(Success::Equals(choices.number()))][choices.below(3)];
            probe.returns = ReturnType::ALL.get(choices.below(ReturnType::ALL.len() + 1)).copied();
        }
        _ => (probe.function, probe.label) = (text(choices), text(choices)),
    }
}

fn stage(choices: &mut Choices<'_>) -> Stage {
    let at = choices.below(Stage::SINGLE.len() + 5);
    Stage::SINGLE.get(at).cloned().unwrap_or_else(|| match at - Stage::SINGLE.len() {
        0 => Stage::Syscall(text(choices).into()),
        1 => Stage::Wait(text(choices).into()),
        2 => Stage::Block(text(choices).into()),
        3 => Stage::Lock(text(choices).into()),
        _ => Stage::Softirq(choices.byte()),
    })
}

/// A short text, or a long one.
fn text(choices: &mut Choices<'_>) -> String {
    let length = usize::from(choices.byte());
    match length {
        0..=200 => String::from_utf8_lossy(choices.bytes(length % 9)).into_owned(),
        _ => "µ".repeat(length * 5),
    }
}

fn trace_info(guest: &mut SyntheticGuest, choices: &mut Choices<'_>) {
    let infos = guest.definitions.iter_mut().filter_map(|definition| match definition {
        Definition::Trace(info) => Some(info),
        _ => None,
    });
    for info in infos {
        match choices.byte() % 8 {
            0 => info.vcpus = choices.number() as u32,
            1 => {
                info.icount_shift = [None, Some(0), Some(10), Some(63), Some(64), Some(255)][choices.below(6)]
            }
            2 => info.layout.page_shift = choices.byte(),
            3 => info.layout.stack_size = choices.number(),
            4 => info.layout.kernel_start = choices.number(),
            5 => info.slide = choices.number(),
            6 => info.target = text(choices),
            _ => info.notes.push((text(choices), text(choices))),
        }
    }
}

/// Another definition.
fn new(choices: &mut Choices<'_>) -> Definition {
    let task = |choices: &mut Choices<'_>| OriginTask {
        address: choices.number(),
        pid: choices.byte().into(),
        tgid: 1,
        comm: (choices.number(), 0),
    };
    match choices.byte() % 9 {
        0 => Definition::Symbol(AddressName { address: choices.number(), name: text(choices) }),
        1 => Definition::Module(Module {
            id: choices.number() as u32,
            name: text(choices),
            text: (choices.number(), choices.number()),
            probes: 1,
        }),
        2 => Definition::Constant(Constant { name: text(choices), value: choices.number().cast_signed() }),
        3 => {
            let frame =
                SiteFrame { function: text(choices), file: text(choices), line: choices.number() as u32 };
            let frames = vec![frame; choices.below(80)];
            Definition::Site(CallSite { address: choices.number(), offset: choices.number(), frames })
        }
        4 => {
            let object = ObjectKind::ALL[choices.below(ObjectKind::ALL.len())];
            let number = |_| ObjectNumber { event: choices.number(), object, number: choices.number() };
            Definition::Numbers((0..4).map(number).collect())
        }
        5 => Definition::Begin(PartBegin {
            event: choices.number(),
            running: vec![RunningTask {
                vcpu: choices.byte().into(),
                task: choices.number(),
                clock: choices.number(),
            }],
            calls: vec![CallCost {
                task: choices.number(),
                call: choices.number(),
                own: choices.number(),
                nested: choices.number(),
            }],
        }),
        6 => {
            let target = [
                HandOffTarget::Work,
                HandOffTarget::Timer,
                HandOffTarget::Task,
                HandOffTarget::Softirq,
                HandOffTarget::Call,
            ][choices.below(5)];
            let from = HandOffPoint {
                clock: choices.number(),
                event: choices.number(),
                call: Some(choices.number()),
                root: None,
                task: choices.number(),
                context: choices.number() as u32,
            };
            let origin = vec![
                OriginStep::Syscall(choices.number(), text(choices), task(choices)),
                OriginStep::Work(choices.number(), task(choices)),
                OriginStep::Fault(choices.number(), choices.number(), task(choices)),
            ];
            let (event, key) = (choices.number(), choices.number());
            let (vcpu, begun, waker) = (choices.byte().into(), choices.byte() & 1 == 1, vec![text(choices)]);
            Definition::HandOff(PendingHandOff { event, target, key, vcpu, from, begun, waker, origin })
        }
        7 => Definition::Kind(Kind { id: kind(choices), name: text(choices), words: vec![text(choices)] }),
        _ => Definition::Probe(Probe {
            id: kind(choices),
            stage: Some(stage(choices)),
            words: vec![text(choices); choices.below(40)],
            ..Probe::default()
        }),
    }
}

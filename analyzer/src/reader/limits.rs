//! How long what a definition says may be, and how large its clocks.
//!
//! Names and lists of definitions are used with each event that is described: in a small file, long ones would make
//! each of a great many events take long.

use iotrace_format::definition::{Definition, OriginStep, SiteFrame};
use iotrace_format::event::MAX_WORDS;
use iotrace_format::stage::Stage;
use iotrace_format::trace::columns::MAX_CLOCK;

/// Longest name in bytes, of a symbol (`KSYM_NAME_LEN`, include/linux/kallsyms.h) as of anything else; a place in the
/// source has far shorter ones.
const NAME: usize = 512;
/// Most functions that a call or a function is inlined into. Compilers nest some ten of them.
const INLINED: usize = 64;

/// Shortens what is longer; whether anything was.
pub fn shorten(definition: &mut Definition) -> bool {
    match definition {
        // What is in these is used once.
        Definition::Trace(_) | Definition::Note(_) | Definition::Numbers(_) => false,
        Definition::Begin(begin) => {
            let running = begin.running.iter_mut().map(|running| &mut running.clock);
            clocks(running.chain(begin.calls.iter_mut().flat_map(|call| [&mut call.own, &mut call.nested])))
        }
        Definition::Kind(kind) => names([&mut kind.name]) | list(&mut kind.words, MAX_WORDS),
        Definition::Probe(probe) => {
            names([&mut probe.function, &mut probe.symbol, &mut probe.label, &mut probe.file])
                | probe.stage.as_mut().is_some_and(member)
                | names(&mut probe.module)
                | list(&mut probe.words, MAX_WORDS)
                | excess(&mut probe.roles, MAX_WORDS)
                | list(&mut probe.inside, INLINED)
        }
        Definition::Module(module) => names([&mut module.name]),
        Definition::Symbol(symbol) => names([&mut symbol.name]),
        Definition::HandOff(hand_off) => {
            clocks([&mut hand_off.from.clock])
                | list(&mut hand_off.waker, INLINED)
                | excess(&mut hand_off.origin, INLINED)
                | names(hand_off.origin.iter_mut().filter_map(syscall))
        }
        Definition::Device(device) => {
            names([&mut device.name]) | names(device.registers.iter_mut().map(|register| &mut register.name))
        }
        Definition::Constant(constant) => names([&mut constant.name]),
        Definition::Site(site) => {
            let excess = site.frames.len() > INLINED;
            site.frames.truncate(INLINED);
            let texts = site.frames.iter_mut().flat_map(|SiteFrame { function, file, .. }| [function, file]);
            names(texts) | excess
        }
    }
}

/// The name of a system call that a hand-off originates from.
fn syscall(step: &mut OriginStep) -> Option<&mut String> {
    match step {
        OriginStep::Syscall(_, name, _) => Some(name),
        _ => None,
    }
}

/// The name of a family's member, which has ASCII letters alone.
fn member(stage: &mut Stage) -> bool {
    match stage {
        Stage::Syscall(name) | Stage::Wait(name) | Stage::Block(name) | Stage::Lock(name)
            if name.len() > NAME =>
        {
            *name = name[..NAME].into();
            true
        }
        _ => false,
    }
}

/// Clocks and instructions are no larger than those of events.
fn clocks<'a>(clocks: impl IntoIterator<Item = &'a mut u64>) -> bool {
    let lower = |clock: &mut u64| std::mem::replace(clock, MAX_CLOCK.min(*clock)) > MAX_CLOCK;
    clocks.into_iter().fold(false, |lowered, clock| lowered | lower(clock))
}

fn list(texts: &mut Vec<String>, most: usize) -> bool {
    excess(texts, most) | names(texts)
}

fn excess<T>(list: &mut Vec<T>, most: usize) -> bool {
    let excess = list.len() > most;
    list.truncate(most);
    excess
}

fn names<'a>(texts: impl IntoIterator<Item = &'a mut String>) -> bool {
    texts.into_iter().fold(false, |shortened, text| shortened | name(text))
}

fn name(text: &mut String) -> bool {
    let is_long = text.len() > NAME;
    if is_long {
        let end = (0..=NAME).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    is_long
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::definition::{AddressName, CallCost, CallSite, PartBegin, Probe, RunningTask};

    #[test]
    fn what_a_kernel_has_is_left_as_it_is() {
        let mut symbol = Definition::Symbol(AddressName { address: 1, name: "x".repeat(NAME) });
        let before = symbol.clone();
        assert!(!shorten(&mut symbol));
        assert_eq!(symbol, before);
    }

    #[test]
    fn clocks_are_no_larger_than_those_of_events() {
        let running = vec![RunningTask { vcpu: 0, task: 1, clock: u64::MAX }];
        let calls = vec![CallCost { task: 1, call: 1, own: MAX_CLOCK, nested: MAX_CLOCK + 1 }];
        let mut begin = Definition::Begin(PartBegin { event: 1, running, calls });
        assert!(shorten(&mut begin) && !shorten(&mut begin));
        let Definition::Begin(begin) = begin else { panic!("it is still a begin") };
        let call = begin.calls[0];
        assert_eq!([begin.running[0].clock, call.own, call.nested], [MAX_CLOCK; 3]);
    }

    #[test]
    fn names_end_with_a_whole_character() {
        let mut symbol =
            Definition::Symbol(AddressName { address: 1, name: "x".to_owned() + &"µ".repeat(NAME) });
        assert!(shorten(&mut symbol));
        let expected = "x".to_owned() + &"µ".repeat(NAME / 2 - 1);
        assert_eq!(symbol, Definition::Symbol(AddressName { address: 1, name: expected }));
    }

    #[test]
    fn lists_are_as_long_as_they_can_be() {
        let texts = || vec!["word".to_owned(); 1000];
        let mut probe = Definition::Probe(Probe { words: texts(), inside: texts(), ..Probe::default() });
        assert!(shorten(&mut probe) && !shorten(&mut probe.clone()));
        let Definition::Probe(Probe { words, inside, .. }) = probe else { panic!("it is still a probe") };
        assert_eq!((words.len(), inside.len()), (MAX_WORDS, INLINED));
        let frame = SiteFrame { function: "f".into(), file: String::new(), line: 0 };
        let mut site = Definition::Site(CallSite { address: 1, offset: 0, frames: vec![frame; 1000] });
        assert!(shorten(&mut site) && !shorten(&mut site));
    }
}

//! What of a guest's life is recorded: from which event on, and of which task.
//!
//! In: `from=` and `only=` of the plugin's arguments, the kernel profile. Out: what is to be compared when a
//! probe is hit, as offsets and numbers.

mod error;

pub use error::ChoiceError;

use crate::args::Capture;
use crate::follow::follow;
use crate::qemu::Cpu;
use iotrace_format::suggestion::nearest;
use iotrace_profile::plan::{FieldSource, ValueAccess};
use iotrace_profile::{ContextAccess, ProbedFunction, Profile};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Bytes of a task's name, without the zero at its end.
const NAME: usize = 15;

/// The event with which the recording begins: `sys.write:fd=3:count=59`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// A stage, or a function's name.
    name: String,
    /// Words and their values.
    words: Vec<(String, u64)>,
}

/// What a word of an event must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTest {
    /// Its place.
    pub word: u8,
    /// Bits that matter.
    pub mask: u64,
    /// Their value.
    pub value: u64,
}

impl Begin {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default().to_owned();
        let word = |part: &str| {
            let pair = part.split_once('=').filter(|(word, _)| !word.is_empty());
            let not_a_pair = || ChoiceError::NotAPair { text: text.to_owned(), part: part.to_owned() };
            let (word, value) = pair.ok_or_else(not_a_pair)?;
            let number = match value.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => value.parse().ok().or_else(|| value.parse().ok().map(i64::cast_unsigned)),
            };
            let not_a_number = || ChoiceError::NotANumber { text: text.to_owned(), value: value.to_owned() };
            Ok((word.to_owned(), number.ok_or_else(not_a_number)?))
        };
        let words = parts.map(word).collect::<Result<_, ChoiceError>>()?;
        if name.is_empty() {
            Err(ChoiceError::NoName { text: text.to_owned() })
        } else {
            Ok(Self { name, words })
        }
    }

    fn is(&self, function: &ProbedFunction) -> bool {
        self.name == function.stage_name()
            || self.name == function.name
            || function.symbols.contains(&self.name)
    }

    /// What must hold when a function is entered; none if it is another one, or has not all the words.
    pub fn tests(&self, function: &ProbedFunction) -> Option<Box<[FieldTest]>> {
        self.is(function)
            .then(|| self.words.iter().map(|(word, value)| test(function, word, *value)).collect())?
    }

    /// Whether there is a function that can fulfil it.
    ///
    /// # Errors
    /// [`ChoiceError`]: what there is in its place.
    pub fn check(&self, profile: &Profile, capture: &Capture) -> Result<(), ChoiceError> {
        let named: Vec<_> = profile.functions.iter().filter(|function| self.is(function)).collect();
        if named.is_empty() {
            return Err(self.unknown(profile));
        }
        let Some(fits) = named.iter().find(|function| self.tests(function).is_some()) else {
            let of = |f: &&ProbedFunction| {
                f.entry.words.iter().map(|w| w.name.clone()).collect::<Vec<_>>().join(", ")
            };
            let word = self.words.iter().find(|(word, _)| named.iter().all(|f| test(f, word, 0).is_none()));
            let word = word.or(self.words.first()).map_or("", |(word, _)| word);
            let there: BTreeSet<_> = named.iter().map(of).collect();
            let there = Vec::from_iter(there);
            let (from, name, word) = (self.to_string(), self.name.clone(), word.to_owned());
            return Err(ChoiceError::NoWord { from, name, word, there });
        };
        if !named.iter().any(|f| capture.layer(f.layer) && self.tests(f).is_some()) {
            return Err(ChoiceError::LayerLeftOut { from: self.to_string(), layer: fits.layer });
        }
        Ok(())
    }

    fn unknown(&self, profile: &Profile) -> ChoiceError {
        let from = self.to_string();
        if let Some(missing) = profile.missing.iter().find(|m| m.function == self.name && !m.partial) {
            let (function, reason) = (self.name.clone(), missing.reason.clone());
            return ChoiceError::NotInKernel { from, function, reason };
        }
        let stages =
            profile.functions.iter().map(ProbedFunction::stage_name).filter(|stage| !stage.is_empty());
        let all: BTreeSet<_> = stages.collect();
        let near = nearest(&self.name, all.iter().map(Cow::as_ref)).map(str::to_owned);
        // Those of system calls are some hundred, whose names everybody knows.
        let others = all.iter().filter(|stage| !stage.starts_with("sys."));
        ChoiceError::Unknown { from, near, stages: others.map(|stage| stage.clone().into_owned()).collect() }
    }
}

impl fmt::Display for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.words.iter().try_for_each(|(word, value)| write!(f, ":{word}={}", value.cast_signed()))
    }
}

/// What a word must be: named in full, or by its last part.
fn test(function: &ProbedFunction, wanted: &str, value: u64) -> Option<FieldTest> {
    let words = &function.entry.words;
    let last = |name: &str| name.rsplit('.').next() == Some(wanted);
    let at =
        words.iter().position(|w| w.name == wanted).or_else(|| words.iter().position(|w| last(&w.name)))?;
    // An argument of 32 bits leaves what it likes in the upper half of its register.
    let half = matches!(words[at].source, FieldSource::Argument(_)) && u32::try_from(value).is_ok();
    let mask = if half { u32::MAX.into() } else { u64::MAX };
    Some(FieldTest { word: u8::try_from(at).ok()?, mask, value })
}

/// The user's task that is recorded; besides it what happens in interrupts and in threads of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// By the number of the thread or of its process.
    Pid(u64),
    /// By its name: the first two words of `task_struct.comm`, and which of their bits matter.
    Name([u64; 2], [u64; 2]),
}

impl Only {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        let task = text.strip_prefix("task:").filter(|task| !task.is_empty());
        let task = task.ok_or_else(|| ChoiceError::NotATask { text: text.to_owned() })?;
        if let Ok(pid) = task.parse() {
            return Ok(Self::Pid(pid));
        }
        if task.len() > NAME {
            return Err(ChoiceError::LongName { text: text.to_owned() });
        }
        let (mut name, mut mask) = ([0; NAME + 1], [0; NAME + 1]);
        name[..task.len()].copy_from_slice(task.as_bytes());
        // The zero at its end is part of it; what is behind that may be anything.
        mask[..=task.len()].fill(u8::MAX);
        let words = |bytes: [u8; NAME + 1]| {
            [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i])))
        };
        Ok(Self::Name(words(name), words(mask)))
    }

    /// Whether the kernel's profile tells what is needed.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn check(&self, context: &ContextAccess) -> Result<(), ChoiceError> {
        let known = [&context.mm, &context.pid, &context.tgid, &context.comm].iter().all(|a| a.is_some());
        if known && context.current_task.is_some() {
            return Ok(());
        }
        Err(ChoiceError::NoTaskLayout)
    }

    /// Whether what a task does is recorded.
    pub fn is(&self, context: &ContextAccess, task: u64, cpu: &Cpu) -> bool {
        let read = |access: &Option<ValueAccess>| access.as_ref().and_then(|a| follow(a, task, cpu));
        if read(&context.mm) == Some(0) {
            return true;
        }
        match self {
            Self::Pid(pid) => [&context.pid, &context.tgid].into_iter().any(|a| read(a) == Some(*pid)),
            Self::Name(name, mask) => read(&context.comm).is_some_and(|comm| {
                let word = |at: usize| cpu.number(comm.wrapping_add(at as u64 * 8), 8).unwrap_or(0);
                [0, 1].into_iter().all(|at| word(at) & mask[at] == name[at])
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::layer::Layer;
    use iotrace_format::stage::Stage;
    use iotrace_profile::plan::{EntryPlan, EventField};
    use iotrace_profile::{Action, FunctionLocation, Missing};

    fn function(name: &str, stage: &str, words: &[(&str, FieldSource)]) -> ProbedFunction {
        let word = |(name, source): &(&str, FieldSource)| EventField {
            role: None,
            name: (*name).to_owned(),
            source: source.clone(),
            symbol: false,
        };
        ProbedFunction {
            name: name.to_owned(),
            symbols: vec![format!("{name}.cold")],
            place: FunctionLocation::Image(0),
            size: 0,
            cold: None,
            offset: 0,
            inside: Vec::new(),
            layer: Layer::Syscall,
            stage: Stage::parse(stage).ok(),
            label: String::new(),
            action: Action::Record,
            file: String::new(),
            line: 0,
            entry: EntryPlan { words: words.iter().map(word).collect(), ..EntryPlan::default() },
            exit: None,
        }
    }

    fn write() -> ProbedFunction {
        let through = FieldSource::Through(0, ValueAccess::default());
        let words = [("caller", FieldSource::Caller), ("regs.fd", through.clone()), ("regs.count", through)];
        function("ksys_write", "sys.write", &words)
    }

    fn profile() -> Profile {
        let missing =
            Missing { function: "sys_write".into(), reason: "not in the image".into(), partial: false };
        let old = function("SyS_read", "sys.read", &[("fd", FieldSource::Argument(0))]);
        Profile { functions: vec![write(), old], missing: vec![missing], ..Profile::default() }
    }

    #[test]
    fn a_beginning_is_a_stage_or_a_function_and_words_by_any_of_their_names() {
        let begin = Begin::parse("sys.write:fd=3:regs.count=0x3b").unwrap();
        assert_eq!(begin.to_string(), "sys.write:fd=3:regs.count=59");
        let test = |word, mask, value| FieldTest { word, mask, value };
        let expected = [test(1, u64::MAX, 3), test(2, u64::MAX, 59)];
        assert_eq!(begin.tests(&write()).as_deref(), Some(&expected[..]));
        let by_name = Begin::parse("SyS_read:fd=3").unwrap();
        let expected = [test(0, u32::MAX.into(), 3)];
        assert_eq!(by_name.tests(&profile().functions[1]).as_deref(), Some(&expected[..]));
        assert_eq!(by_name.tests(&write()), None);
        assert_eq!(Begin::parse("ksys_write").unwrap().tests(&write()).as_deref(), Some(&[][..]));
        assert_eq!(Begin::parse("sys.write:fd=-1").unwrap().tests(&write()).unwrap()[0].value, u64::MAX);
    }

    fn check(text: &str) -> Result<(), ChoiceError> {
        Begin::parse(text)?.check(&profile(), &Capture::default())
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        for (text, expected) in [
            ("sys.write:fd", "\"fd\": expected FIELD=VALUE"),
            ("sys.write:fd=three", "invalid number \"three\""),
            (":fd=3", "expected a stage or a function"),
            ("sys.wrte", "did you mean \"sys.write\"?; the stages are sys. and a system call's name"),
            ("vfs.nothing", "the stages are sys. and a system call's name"),
            ("sys_write", "function sys_write not found in this kernel: not in the image"),
            ("sys.write:fdd=3", "sys.write has no field \"fdd\"; its fields are caller, regs.fd, regs.count"),
        ] {
            let message = check(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let block = Capture { layers: Some(vec![Layer::Block]), ..Capture::default() };
        let message = Begin::parse("sys.write").unwrap().check(&profile(), &block).unwrap_err().to_string();
        assert!(message.contains("capture= excludes its layer syscall"), "{message}");
        assert_eq!(check("sys.write:count=59"), Ok(()));
    }

    #[test]
    fn a_task_is_a_number_or_a_name() {
        assert_eq!(Only::parse("task:119"), Ok(Only::Pid(119)));
        let name = [u64::from_le_bytes(*b"loop-wri"), u64::from_le_bytes(*b"te\0\0\0\0\0\0")];
        assert_eq!(Only::parse("task:loop-write"), Ok(Only::Name(name, [u64::MAX, 0x00ff_ffff])));
        for (text, expected) in [
            ("loop-write", "expected task:NAME or task:PID"),
            ("task:", "expected task:NAME or task:PID"),
            ("task:a-name-of-16-bytes", "at most 15 bytes"),
        ] {
            let message = Only::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(
            Only::Pid(1).check(&ContextAccess::default()).unwrap_err().to_string().contains("task_struct")
        );
    }
}

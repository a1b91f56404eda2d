//! Limits on a comparison: `fsync.instructions>+5%`.
//!
//! ```text
//! limit   = measured (">" | "<") number ["%"]
//! measured = ["total" "." | the name of a system call "."] "stage:" the name of a step "." ("instructions" | "elapsed" | "guest" | "device" | "times")
//!         | ("total" | the name of a system call) "." measure
//!         | "function:" the name of a function "." ("own" | "total" | "calls")
//!         | "wait:" the name of a function "." ("calls" | "instructions" | "waits" | "elapsed" | "guest" | "device")
//!         | "unpaired" | "new" | "gone" | "moved" | "renamed" | "handovers" | "differing"
//! measure = "instructions" | "call" | "elapsed" | "guest" | "device" | "bios" | "accesses" | "interrupts" | "shared" | "waits" | "waited"
//! number  = a whole number, or with "%" any: what B has more than A; of the last line, how many there are
//! ```
//!
//! A budget file has a limit on each line; `#` begins a comment.

use super::{Both, CallChange, Costs, Diff, StepCost};
use std::fmt;
use thiserror::Error;

/// A limit cannot be read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum LimitError {
    /// Nothing is compared.
    #[error("{text:?}: missing > or <")]
    NoSign {
        /// The limit.
        text: String,
    },
    /// What is measured is not known.
    #[error("{what:?}: expected SUBJECT.MEASURE or one of {}", OF_ALL.join(", "))]
    Subject {
        /// What is before the sign.
        what: String,
    },
    /// The subject has no such measure.
    #[error("{measure:?}: expected one of {}", known.join(", "))]
    Measure {
        /// The measure.
        measure: String,
        /// Those that it has.
        known: &'static [&'static str],
    },
    /// No number behind the sign.
    #[error("invalid number {value:?}")]
    NotANumber {
        /// What is there.
        value: String,
    },
    /// Per cent of what is counted in B alone.
    #[error("{measure}: no percentage of a count")]
    PercentOfCount {
        /// The measure.
        measure: String,
    },
    /// A line of a budget.
    #[error("line {line}: {error}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong with it.
        error: Box<LimitError>,
    },
}

/// What a limit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Total,
    Syscall(String),
    /// Of a system call, else of all.
    Step(Option<String>, String),
    Function(String),
    Wait(String),
    /// What is counted in the comparison as a whole.
    Whole,
}

/// A limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    text: String,
    subject: Subject,
    measure: String,
    above: bool,
    number: f64,
    percent: bool,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A limit that was passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    /// The limit, as it was given.
    pub limit: String,
    /// What was found, in words.
    pub found: String,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Both(Both),
    Count(usize),
}

const OF_CALLS: &[&str] = &[
    "instructions",
    "call",
    "elapsed",
    "guest",
    "device",
    "bios",
    "accesses",
    "interrupts",
    "shared",
    "waits",
    "waited",
];
const OF_STEPS: &[&str] = &["instructions", "elapsed", "guest", "device", "times"];
const OF_FUNCTIONS: &[&str] = &["own", "total", "calls"];
const OF_WAITS: &[&str] = &["calls", "instructions", "waits", "elapsed", "guest", "device"];
const OF_ALL: &[&str] = &["unpaired", "new", "gone", "moved", "renamed", "handovers", "differing"];

impl Subject {
    fn parse(text: &str) -> Self {
        let (around, inner) = text.rsplit_once('.').map_or((None, text), |(a, b)| (Some(a), b));
        if let Some(step) = inner.strip_prefix("stage:") {
            let call = around.filter(|call| *call != "total").map(str::to_owned);
            return Self::Step(call, step.to_owned());
        }
        match text.split_once(':') {
            Some(("function", name)) => Self::Function(name.to_owned()),
            Some(("wait", name)) => Self::Wait(name.to_owned()),
            _ if text == "total" => Self::Total,
            _ => Self::Syscall(text.to_owned()),
        }
    }

    fn measures(&self) -> &'static [&'static str] {
        match self {
            Self::Total | Self::Syscall(_) => OF_CALLS,
            Self::Step(..) => OF_STEPS,
            Self::Function(_) => OF_FUNCTIONS,
            Self::Wait(_) => OF_WAITS,
            Self::Whole => OF_ALL,
        }
    }
}

impl Limit {
    /// Reads a limit.
    ///
    /// # Errors
    /// [`LimitError`]: what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LimitError> {
        let at = text.find(['>', '<']).ok_or_else(|| LimitError::NoSign { text: text.to_owned() })?;
        let (what, rest) = text.split_at(at);
        let (subject, measure) = match what.trim().rsplit_once('.') {
            Some((subject, measure)) => (Subject::parse(subject), measure),
            None if OF_ALL.contains(&what.trim()) => (Subject::Whole, what.trim()),
            None => return Err(LimitError::Subject { what: what.to_owned() }),
        };
        if !subject.measures().contains(&measure) {
            return Err(LimitError::Measure { measure: measure.to_owned(), known: subject.measures() });
        }
        let value = rest[1..].trim();
        let (digits, percent) = value.strip_suffix('%').map_or((value, false), |digits| (digits, true));
        let number = digits.trim().parse().map_err(|_| LimitError::NotANumber { value: value.to_owned() })?;
        if percent && subject == Subject::Whole {
            return Err(LimitError::PercentOfCount { measure: measure.to_owned() });
        }
        let above = rest.starts_with('>');
        let (text, measure) = (text.trim().to_owned(), measure.to_owned());
        Ok(Self { text, subject, measure, above, number, percent })
    }

    /// Reads a budget: the limits of a file's text.
    ///
    /// # Errors
    /// [`LimitError::Line`].
    pub fn budget(text: &str) -> Result<Vec<Self>, LimitError> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
        let parse = |(at, line)| {
            let of_line = |error| LimitError::Line { line: at + 1, error: Box::new(error) };
            Self::parse(line).map_err(of_line)
        };
        lines.map(parse).collect()
    }

    /// What was found, if it is past the limit. What is not in the comparison has not changed.
    #[must_use]
    pub fn passed(&self, diff: &Diff) -> Option<Passed> {
        let found = self.find(diff)?;
        let value = match found {
            Found::Both(both) if self.percent => percent(both),
            Found::Both(both) => both.difference() as f64,
            Found::Count(count) => count as f64,
        };
        let past = if self.above { value > self.number } else { value < self.number };
        let found = match found {
            Found::Both(Both { a, b }) => format!("{a} in A, {b} in B"),
            Found::Count(count) => format!("found {count}"),
        };
        past.then(|| Passed { limit: self.text.clone(), found })
    }

    fn find(&self, diff: &Diff) -> Option<Found> {
        let class = |name: &String| diff.classes.iter().find(|class| class.syscall == *name);
        Some(Found::Both(match &self.subject {
            Subject::Whole => return Some(Found::Count(self.count(diff))),
            Subject::Total => self.of_costs(&diff.costs),
            Subject::Syscall(name) => self.of_costs(&class(name)?.costs),
            Subject::Step(None, step) => self.of_step(&diff.steps, step)?,
            Subject::Step(Some(name), step) => self.of_step(&class(name)?.steps, step)?,
            Subject::Function(name) => {
                let function = diff.functions.iter().find(|function| function.name == *name)?;
                match self.measure.as_str() {
                    "own" => function.own,
                    "total" => function.total,
                    _ => function.calls,
                }
            }
            Subject::Wait(name) => {
                let wait = diff.waits.iter().find(|wait| wait.function == *name)?;
                match self.measure.as_str() {
                    "instructions" => wait.total,
                    "waits" => wait.waits,
                    "elapsed" => wait.elapsed,
                    "guest" => wait.elapsed.without(wait.device),
                    "device" => wait.device,
                    _ => wait.calls,
                }
            }
        }))
    }

    fn of_step(&self, steps: &[StepCost], name: &str) -> Option<Both> {
        let step = steps.iter().find(|step| step.step == name)?;
        Some(match self.measure.as_str() {
            "elapsed" => step.elapsed,
            "guest" => step.elapsed.without(step.device),
            "device" => step.device,
            "times" => step.times,
            _ => step.instructions,
        })
    }

    fn of_costs(&self, costs: &Costs) -> Both {
        match self.measure.as_str() {
            "call" => costs.call,
            "elapsed" => costs.elapsed,
            "guest" => costs.elapsed.without(costs.device),
            "device" => costs.device,
            "bios" => costs.bios,
            "accesses" => costs.accesses,
            "interrupts" => costs.interrupts,
            "shared" => costs.shared_interrupts,
            "waits" => costs.waits,
            "waited" => costs.waited,
            _ => costs.instructions,
        }
    }

    fn count(&self, diff: &Diff) -> usize {
        match self.measure.as_str() {
            "unpaired" => diff.unpaired.len(),
            "new" => diff.places(|c| matches!(c, CallChange::New | CallChange::Inserted { .. })).count(),
            "gone" => diff.places(|c| matches!(c, CallChange::Gone | CallChange::Removed { .. })).count(),
            "moved" => diff.places(|c| matches!(c, CallChange::Moved { .. })).count(),
            "renamed" => diff.places(|c| matches!(c, CallChange::Renamed { .. })).count(),
            "handovers" => diff.classes.iter().map(|class| class.handovers.len()).sum(),
            _ => diff.functions.iter().filter(|function| function.test.differs).count(),
        }
    }
}

/// Per cent that B has more; of something that A has not at all, endlessly many.
fn percent(found: Both) -> f64 {
    found.percent().unwrap_or(if found.b == 0 { 0.0 } else { f64::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::super::{Class, FunctionDiff, Waiting};
    use super::*;

    fn diff() -> Diff {
        let costs = Costs { instructions: Both { a: 1000, b: 1060 }, ..Costs::default() };
        let class = Class { syscall: "fsync".into(), costs, ..Class::default() };
        let own = Both { a: 0, b: 52 };
        let function = FunctionDiff { name: "extra".into(), own, ..FunctionDiff::default() };
        let step = StepCost { step: "G", instructions: Both { a: 100, b: 111 }, ..StepCost::default() };
        let wait =
            Waiting { function: "mutex_lock".into(), waits: Both { a: 2, b: 3 }, ..Waiting::default() };
        Diff {
            costs,
            classes: vec![class],
            functions: vec![function],
            steps: vec![step],
            waits: vec![wait],
            ..Diff::default()
        }
    }

    #[test]
    fn limits_are_passed_or_not() {
        for (limit, passed) in [
            ("fsync.instructions>+5%", true),
            ("fsync.instructions > 6.5%", false),
            ("total.instructions>59", true),
            ("total.instructions>60", false),
            ("fsync.instructions<0", false),
            ("write.instructions>0", false),
            ("function:extra.own>+1%", true),
            ("function:extra.own>52", false),
            ("fsync.bios>0", false),
            ("stage:G.instructions>+10%", true),
            ("total.stage:G.instructions>+11%", false),
            ("fsync.stage:G.instructions>0", false),
            ("wait:mutex_lock.waits>0", true),
            ("unpaired>0", false),
            ("new<1", true),
        ] {
            assert_eq!(Limit::parse(limit).unwrap().passed(&diff()).is_some(), passed, "{limit}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (limit, expected) in [
            ("fsync.instructions", "missing > or <"),
            ("fsync>5", "SUBJECT.MEASURE"),
            ("fsync.speed>5", "expected one of instructions"),
            ("function:f.bios>5", "expected one of own, total, calls"),
            ("stage:G.bios>5", "expected one of instructions, elapsed, guest, device, times"),
            ("new>5%", "no percentage"),
            ("fsync.bios>many", "invalid number"),
        ] {
            let message = Limit::parse(limit).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_budget_is_a_limit_a_line() {
        let limits =
            Limit::budget("# ours\ntotal.call>0 # none\n\nfsync.bios>+1\n".replace("\\\n", "\n").as_str());
        assert_eq!(limits.map(|limits| limits.len()), Ok(2));
        assert_eq!(Limit::budget("\n\nx").unwrap_err().to_string(), "line 3: \"x\": missing > or <");
    }
}

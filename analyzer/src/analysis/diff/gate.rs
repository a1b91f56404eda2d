//! Limits on a comparison: `fsync.instructions>+5%`.
//!
//! ```text
//! limit   = subject "." measure (">" | "<") number ["%"]
//! subject = "total" | the name of a system call | "function:" the name of a function
//! measure = "instructions" | "call" | "elapsed" | "bios" | "accesses" | "interrupts"      (of calls)
//!         | "own" | "calls"                                                              (of functions)
//! number  = a whole number, or with "%" any: what B has more than A
//! ```
//!
//! A budget file has a limit on each line; `#` begins a comment.

use super::{Both, Costs, Diff};
use std::fmt;

/// What a limit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Total,
    Syscall(String),
    Function(String),
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
    /// What was found.
    pub found: Both,
}

const OF_CALLS: [&str; 6] = ["instructions", "call", "elapsed", "bios", "accesses", "interrupts"];
const OF_FUNCTIONS: [&str; 2] = ["own", "calls"];

impl Limit {
    /// Reads a limit.
    ///
    /// # Errors
    /// A message that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at = text.find(['>', '<']).ok_or_else(|| format!("{text:?} has neither > nor <"))?;
        let (what, rest) = text.split_at(at);
        let (subject, measure) = what
            .trim()
            .rsplit_once('.')
            .ok_or_else(|| format!("{what:?} is not of the form SUBJECT.MEASURE"))?;
        let subject = match subject.split_once(':') {
            Some(("function", name)) => Subject::Function(name.to_owned()),
            _ if subject == "total" => Subject::Total,
            _ => Subject::Syscall(subject.to_owned()),
        };
        let measures =
            if matches!(subject, Subject::Function(_)) { &OF_FUNCTIONS[..] } else { &OF_CALLS[..] };
        if !measures.contains(&measure) {
            return Err(format!("{measure:?} is none of {}", measures.join(", ")));
        }
        let value = rest[1..].trim();
        let (digits, percent) = value.strip_suffix('%').map_or((value, false), |digits| (digits, true));
        let number = digits.trim().parse().map_err(|_| format!("{value:?} is no number"))?;
        let above = rest.starts_with('>');
        Ok(Self {
            text: text.trim().to_owned(),
            subject,
            measure: measure.to_owned(),
            above,
            number,
            percent,
        })
    }

    /// Reads a budget: the limits of a file's text.
    ///
    /// # Errors
    /// A message with the number of the line.
    pub fn budget(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
        lines.map(|(at, line)| Self::parse(line).map_err(|e| format!("line {}: {e}", at + 1))).collect()
    }

    /// What was found, if it is past the limit. What is not in the comparison has not changed.
    #[must_use]
    pub fn passed(&self, diff: &Diff) -> Option<Passed> {
        let found = self.find(diff)?;
        let value = if self.percent { percent(found) } else { found.difference() as f64 };
        let past = if self.above { value > self.number } else { value < self.number };
        past.then(|| Passed { limit: self.text.clone(), found })
    }

    fn find(&self, diff: &Diff) -> Option<Both> {
        match &self.subject {
            Subject::Total => Some(self.of_costs(&diff.costs)),
            Subject::Syscall(name) => {
                let class = diff.classes.iter().find(|class| class.syscall == *name)?;
                Some(self.of_costs(&class.costs))
            }
            Subject::Function(name) => {
                let function = diff.functions.iter().find(|function| function.name == *name)?;
                Some(if self.measure == "own" { function.own } else { function.calls })
            }
        }
    }

    fn of_costs(&self, costs: &Costs) -> Both {
        match self.measure.as_str() {
            "call" => costs.call,
            "elapsed" => costs.elapsed,
            "bios" => costs.bios,
            "accesses" => costs.accesses,
            "interrupts" => costs.interrupts,
            _ => costs.instructions,
        }
    }
}

/// Per cent that B has more; of something that A has not at all, endlessly many.
fn percent(found: Both) -> f64 {
    found.percent().unwrap_or(if found.b == 0 { 0.0 } else { f64::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Function};
    use super::*;

    fn diff() -> Diff {
        let costs = Costs { instructions: Both { a: 1000, b: 1060 }, ..Costs::default() };
        let class = Class { syscall: "fsync".into(), costs, ..Class::default() };
        let own = Both { a: 0, b: 52 };
        let function = Function { name: "extra".into(), own, ..Function::default() };
        Diff { costs, classes: vec![class], functions: vec![function], ..Diff::default() }
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
        ] {
            assert_eq!(Limit::parse(limit).unwrap().passed(&diff()).is_some(), passed, "{limit}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (limit, expected) in [
            ("fsync.instructions", "neither > nor <"),
            ("fsync>5", "SUBJECT.MEASURE"),
            ("fsync.speed>5", "none of instructions"),
            ("function:f.bios>5", "none of own, calls"),
            ("fsync.bios>many", "no number"),
        ] {
            let message = Limit::parse(limit).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_budget_is_a_limit_a_line() {
        let limits =
            Limit::budget("# ours\ntotal.call>0 # none\n\nfsync.bios>+1\n".replace("\\\n", "\n").as_str());
        assert_eq!(limits.map(|limits| limits.len()), Ok(2));
        assert_eq!(Limit::budget("\n\nx").unwrap_err(), "line 3: \"x\" has neither > nor <");
    }
}

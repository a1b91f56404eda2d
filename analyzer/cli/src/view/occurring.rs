//! What to say where nothing matches a condition: the names that do occur.

use super::terminal::complain as print;
use super::text::plain;
use iotrace::analysis::conditions::Conditions;
use iotrace::analysis::report::{OccurringNames, Report};
use std::collections::BTreeSet;

/// Prints that nothing matches, and which tasks, files or system calls there are, if one of those was given.
pub fn complain(conditions: &Conditions, report: &Report) {
    lines(conditions, &report.occurring).iter().for_each(|line| print(line));
}

fn lines(conditions: &Conditions, occurring: &OccurringNames) -> Vec<String> {
    let mut lines = vec!["nothing in the workload matches the conditions".to_owned()];
    let given = [
        (conditions.task.as_ref(), "tasks", &occurring.tasks),
        (conditions.file.as_ref(), "files", &occurring.files),
        (conditions.syscall.as_ref(), "system calls", &occurring.syscalls),
    ];
    for (name, what, names) in given {
        if name.is_some() {
            lines.push(format!("{what} of the workload: {}", list(names)));
        }
    }
    lines
}

fn list(names: &BTreeSet<String>) -> String {
    let more = if names.len() >= OccurringNames::MOST { ", ..." } else { "" };
    let names: Vec<_> = names.iter().map(|name| plain(name).to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") + more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_what_was_given_are_listed() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        let occurring = OccurringNames { tasks: names(&["dd/42", "sh/1"]), ..OccurringNames::default() };
        let conditions =
            Conditions { task: Some("cp".into()), file: Some("x".into()), ..Conditions::default() };
        let expected = [
            "nothing in the workload matches the conditions",
            "tasks of the workload: dd/42, sh/1",
            "files of the workload: none",
        ];
        assert_eq!(lines(&conditions, &occurring), expected);
    }
}

//! The reference of stages, roles and layers, written from their tables.

use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::{Begins, SOFTIRQS, Stage};
use std::fmt::Write;

const HEAD: &str = "\
# Stages, roles and layers

Written by `cargo run -p iotrace-catalog --example reference > schemas/STAGES.md`; a test compares.

An entry of a catalog has at most one stage (`stage = \"rq.issue\"`). Its arguments must have the roles that the stage
needs; of roles with \"or\" between them one is enough. An argument has the role whose usual name it has, or the one that
the entry assigns: `request = \"iod.rq\"` makes `iod.rq` the request. A field read through an argument has the role that
is named after both: `sector` of a `bio` is `bio.sector`. An entry without a stage may have a `label`, which views print.

";

/// The reference, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text += "## Stages\n\n| stage | step | needs | begins |\n|---|---|---|---|\n";
    for stage in Stage::SINGLE {
        line(&mut text, &stage.name(), stage);
    }
    line(&mut text, "sys.NAME", &Stage::Syscall("x".into()));
    line(&mut text, "task.wait.WHAT", &Stage::Wait("x".into()));
    line(&mut text, "task.block.MEANS", &Stage::Block("x".into()));
    line(&mut text, "lock.KIND", &Stage::Lock("x".into()));
    for number in 0..SOFTIRQS.len() {
        let stage = Stage::Softirq(number as u8);
        line(&mut text, &stage.name(), &stage);
    }
    text += "\n## Roles of arguments\n\n| role | usual name | is | fields with roles |\n|---|---|---|---|\n";
    for role in Role::ALL.iter().filter(|role| role.is_argument()) {
        let fields = Role::ALL.iter().filter_map(|other| other.name().split_once('.'));
        let fields = Vec::from_iter(fields.filter(|(of, _)| *of == role.name()).map(|(_, field)| field));
        let (name, usual, about) = (role.name(), role.usual(), role.description().trim_start());
        let _ = writeln!(text, "| `{name}` | `{usual}` | {about} | {} |", fields.join(", "));
    }
    text += "\n## Layers\n\nFrom the system call to the hardware and back.\n\n| layer | is |\n|---|---|\n";
    for layer in Layer::CATALOG {
        let _ = writeln!(text, "| `{layer}` | {} |", layer.description().trim_start());
    }
    text
}

fn line(text: &mut String, name: &str, stage: &Stage) {
    let any_of = |roles: &&[Role]| Vec::from_iter(roles.iter().map(|role| role.name())).join(" or ");
    let needs = Vec::from_iter(stage.needs().iter().map(any_of)).join(", ");
    let begins = match stage.begins() {
        None => "",
        Some(Begins::Syscall) => "a system call",
        Some(Begins::Work) => "a work item",
        Some(Begins::Softirq) => "a softirq",
        Some(Begins::Interrupt) => "an interrupt",
    };
    let _ = writeln!(text, "| `{name}` | {} | {needs} | {begins} |", stage.description().trim_start());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reference_is_of_these_tables() {
        assert!(
            super::markdown() == include_str!("../../STAGES.md"),
            "schemas/STAGES.md is not up to date: see its first lines"
        );
    }
}

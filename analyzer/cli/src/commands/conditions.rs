//! Conditions on the command line.

use clap::Args;
use iotrace::analysis::conditions::{Conditions, OpIs, Range, parse};
use iotrace::analysis::records::RecordQuery;
use iotrace_format::layer::Layer;

/// Which I/Os, bios and events are wanted: the same words in every view. It comes last in a view's arguments,
/// since its heading in the help is for all that follow.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Conditions (all must hold)")]
pub struct ConditionArgs {
    /// Select by task (name or pid)
    #[arg(long, value_name = "NAME|PID")]
    pub task: Option<String>,
    /// Select by file (last component of its name, or inode number)
    #[arg(long, value_name = "NAME|INODE")]
    pub file: Option<String>,
    /// Select by file descriptor
    #[arg(long, value_name = "N")]
    pub fd: Option<u64>,
    /// Select by bytes requested, or of a bio: 59, 4k, 1..4k
    #[arg(long, value_name = "N|A..B", value_parser = parse::size)]
    pub size: Option<Range>,
    /// Select by system call: write, fsync
    #[arg(long, value_name = "NAME", value_parser = parse::syscall)]
    pub syscall: Option<String>,
    /// Select by operation: read, write, flush, discard, or letters (W, FWFS)
    #[arg(long, value_name = "OP", value_parser = parse::op)]
    pub op: Option<OpIs>,
    /// Select by sectors of 512 bytes
    #[arg(long, value_name = "N|A..B", value_parser = parse::numbers)]
    pub sector: Option<Range>,
    /// Select clocks from A to B, in instructions; either may be omitted
    #[arg(long, value_name = "A..B", value_parser = parse::clocks)]
    pub clock: Option<Range>,
    /// Select virtual time since the begin of the workload: 1.2ms..3ms
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub time: Option<Range>,
}

impl ConditionArgs {
    /// The conditions that were given, and one on a layer.
    #[must_use]
    pub fn conditions(&self, layer: Option<Layer>) -> Conditions {
        Conditions {
            task: self.task.clone(),
            file: self.file.clone(),
            fd: self.fd,
            size: self.size.clone(),
            syscall: self.syscall.clone(),
            op: self.op.clone(),
            sector: self.sector.clone(),
            layer,
            clock: self.clock.clone(),
            time: self.time.clone(),
            ..Conditions::default()
        }
    }
}

/// Which part of a trace a view or an export of its records is about. It comes last in a command's arguments, since the
/// conditions do.
#[derive(Debug, Default, Args)]
pub struct SelectionArgs {
    /// Include boot and shutdown, and I/Os without disk access
    #[arg(long)]
    pub all: bool,
    /// Select what reached this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Option<Layer>,
    /// Virtual time of an I/O from call to return, of a bio from queue to end: 1ms.., ..200us
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub elapsed: Option<Range>,
    /// Which I/Os, bios and events.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl SelectionArgs {
    /// What was selected.
    #[must_use]
    pub fn query(&self) -> RecordQuery {
        let conditions = self.conditions.conditions(self.layer);
        RecordQuery { all: self.all, conditions: Conditions { elapsed: self.elapsed.clone(), ..conditions } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{Command, CommandLine};
    use clap::Parser;

    #[test]
    fn conditions_have_the_same_words_everywhere() {
        for view in ["report", "path", "why", "events"] {
            let line =
                ["iotrace-analyze", view, "t.iot", "--fd", "3", "--size", "59", "--syscall", "sys_write"];
            let conditions = match CommandLine::parse_from(line).command {
                Command::Report(args) => args.conditions.conditions(None),
                Command::Path(args) => args.subject.conditions.conditions(None),
                Command::Why(args) => args.subject.conditions.conditions(None),
                Command::Events(args) => args.conditions.conditions(None),
                _ => unreachable!(),
            };
            let syscall = Some("write".to_owned());
            let expected = Conditions { fd: Some(3), size: Some(59..=59), syscall, ..Conditions::default() };
            assert_eq!(conditions, expected, "{view}");
        }
    }
}

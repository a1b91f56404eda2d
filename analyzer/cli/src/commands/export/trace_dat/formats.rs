//! The events of a trace.dat, described as `events/*/*/format` of tracefs does, from which readers take the layout.
//!
//! Fields have the kernel's names and types; those that a trace does not have (priorities and states of tasks, errors, the
//! name of an interrupt's device) are left out of the descriptions.

use iotrace_format::stage::SOFTIRQS;
use std::fmt::Write;

/// A type of a field: its name in C, bytes, whether it has a sign.
type FieldType = (&'static str, usize, bool);
const U32: FieldType = ("unsigned int", 4, false);
const I32: FieldType = ("int", 4, true);
const DEV: FieldType = ("dev_t", 4, false);
const PID: FieldType = ("pid_t", 4, true);
const SECTOR: FieldType = ("sector_t", 8, false);
const LONG: FieldType = ("unsigned long", 8, false);
const U64: FieldType = ("unsigned long long", 8, false);
/// Characters: an array with the name of the field behind it.
const RWBS: FieldType = ("char", 8, false);
const COMM: FieldType = ("char", 16, false);

/// A type of event.
#[derive(Debug)]
pub struct TracepointFormat {
    /// The folder of events that it is in.
    pub system: &'static str,
    /// Name.
    pub name: &'static str,
    /// Number in the records.
    pub id: u16,
    fields: &'static [(&'static str, FieldType)],
    /// How it is printed: text, and what is put in.
    print: &'static str,
}

macro_rules! format {
    ($id:literal $system:literal $name:ident [$($field:ident: $kind:ident),*] $print:expr) => {
        TracepointFormat {
            system: $system, name: stringify!($name), id: $id,
            fields: &[$((stringify!($field), $kind)),*], print: $print,
        }
    };
}

/// `TRACE_GRAPH_ENT`, `TRACE_GRAPH_RET` (kernel/trace/trace.h).
pub const GRAPH_ENTRY: u16 = 11;
/// See [`GRAPH_ENTRY`].
pub const GRAPH_EXIT: u16 = 10;
/// The first block event, in the order of `BlockKind::ALL`.
pub const FIRST_BLOCK: u16 = 300;
/// `sched_switch`.
pub const SWITCH: u16 = 320;
/// `irq_handler_entry` and, behind it, `irq_handler_exit`.
pub const IRQ: u16 = 330;
/// `softirq_entry` and, behind it, `softirq_exit`.
pub const SOFTIRQ: u16 = 332;
/// `softirq_raise`.
pub const RAISE: u16 = 334;

/// With the operation, sectors, and the task.
const BY_TASK: &str = r#""%d,%d %s %llu + %u [%s]", ((unsigned int) ((REC->dev) >> 20)), ((unsigned int) ((REC->dev) & ((1U << 20) - 1))), REC->rwbs, (unsigned long long)REC->sector, REC->nr_sector, REC->comm"#;
/// The same without the task.
const BY_NOBODY: &str = r#""%d,%d %s %llu + %u", ((unsigned int) ((REC->dev) >> 20)), ((unsigned int) ((REC->dev) & ((1U << 20) - 1))), REC->rwbs, (unsigned long long)REC->sector, REC->nr_sector"#;
const SPLIT_PRINT: &str = r#""%d,%d %s %llu / %llu [%s]", ((unsigned int) ((REC->dev) >> 20)), ((unsigned int) ((REC->dev) & ((1U << 20) - 1))), REC->rwbs, (unsigned long long)REC->sector, (unsigned long long)REC->new_sector, REC->comm"#;
/// Replaced by the names of softirqs.
const OF_SOFTIRQ: &str = "";

/// All of them, those of one system behind one another. include/trace/events/{block,irq,sched}.h,
/// kernel/trace/trace_entries.h (6.1).
pub const FORMATS: [TracepointFormat; 19] = [
    format!(11 "ftrace" funcgraph_entry [func: LONG, depth: I32] r#""--> %ps (%d)", (void *)REC->func, REC->depth"#),
    format!(10 "ftrace" funcgraph_exit [func: LONG, depth: I32, overrun: U32, calltime: U64, rettime: U64]
        r#""<-- %ps (%d) (start: %llx  end: %llx) over: %d", (void *)REC->func, REC->depth, REC->calltime, REC->rettime, REC->depth"#),
    format!(300 "block" block_bio_queue [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(301 "block" block_split [dev: DEV, sector: SECTOR, new_sector: SECTOR, rwbs: RWBS, comm: COMM] SPLIT_PRINT),
    format!(302 "block" block_getrq [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(303 "block" block_bio_backmerge [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(304 "block" block_bio_frontmerge [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(305 "block" block_rq_merge [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(306 "block" block_rq_insert [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(307 "block" block_rq_issue [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS, comm: COMM] BY_TASK),
    format!(308 "block" block_rq_requeue [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS] BY_NOBODY),
    format!(309 "block" block_rq_complete [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS] BY_NOBODY),
    format!(310 "block" block_bio_complete [dev: DEV, sector: SECTOR, nr_sector: U32, rwbs: RWBS] BY_NOBODY),
    format!(320 "sched" sched_switch [prev_comm: COMM, prev_pid: PID, next_comm: COMM, next_pid: PID]
        r#""prev_comm=%s prev_pid=%d ==> next_comm=%s next_pid=%d", REC->prev_comm, REC->prev_pid, REC->next_comm, REC->next_pid"#),
    format!(330 "irq" irq_handler_entry [irq: I32] r#""irq=%d", REC->irq"#),
    format!(331 "irq" irq_handler_exit [irq: I32] r#""irq=%d", REC->irq"#),
    format!(332 "irq" softirq_entry [vec: U32] OF_SOFTIRQ),
    format!(333 "irq" softirq_exit [vec: U32] OF_SOFTIRQ),
    format!(334 "irq" softirq_raise [vec: U32] OF_SOFTIRQ),
];

impl TracepointFormat {
    /// Its format file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = std::format!("name: {}\nID: {}\nformat:\n", self.name, self.id);
        text += COMMON;
        let mut at = 8;
        for (name, (kind, size, signed)) in self.fields {
            let (align, name) = match *kind {
                "char" => (1, std::format!("{name}[{size}]")),
                _ => (*size, (*name).to_owned()),
            };
            at = place(at, align);
            let signed = u8::from(*signed);
            let _ = writeln!(text, "\tfield:{kind} {name};\toffset:{at};\tsize:{size};\tsigned:{signed};");
            at += size;
        }
        let print = if self.print == OF_SOFTIRQ { softirq_print() } else { self.print.to_owned() };
        text + &std::format!("\nprint fmt: {print}\n")
    }
}

/// Where a field of so many bytes begins that comes behind `at`.
#[must_use]
pub fn place(at: usize, align: usize) -> usize {
    at.next_multiple_of(align)
}

/// `struct trace_entry`, as every format has it.
const COMMON: &str = "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
                      \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
                      \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n\
                      \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

fn softirq_print() -> String {
    let names = SOFTIRQS
        .iter()
        .zip(0..)
        .map(|(name, number)| std::format!("{{ {number}, \"{}\" }}", name.to_uppercase()));
    let names = Vec::from_iter(names).join(", ");
    std::format!(r#""vec=%u [action=%s]", REC->vec, __print_symbolic(REC->vec, {names})"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace::model::BlockKind;

    #[test]
    fn block_events_have_their_numbers() {
        for (at, kind) in (FIRST_BLOCK..).zip(BlockKind::ALL) {
            let format = FORMATS.iter().find(|format| format.id == at).unwrap();
            assert_eq!(format.name, kind.name());
        }
    }

    #[test]
    fn formats_are_those_of_tracefs() {
        let text: String = FORMATS.iter().map(TracepointFormat::text).collect();
        insta::assert_snapshot!(text);
    }
}

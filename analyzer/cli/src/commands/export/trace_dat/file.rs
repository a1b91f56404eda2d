//! A trace.dat of version 6 (man trace-cmd.dat.v6): what describes the events, then the pages of each vCPU.

use super::formats::{FORMATS, TracepointFormat};
use super::ring::{PAGE, PAGE_HEAD, RingPages};
use iotrace::model::Comm;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};

/// `TRACECMD_OPTION_TRACECLOCK` (lib/trace-cmd/include/private/trace-cmd-private.h).
const OPTION_CLOCK: u16 = 4;

/// What stands before the pages.
#[derive(Debug, Default)]
pub struct TraceDatHead {
    /// Functions: name and module, by address.
    pub functions: BTreeMap<u64, (String, Option<String>)>,
    /// Names of tasks by their thread ids.
    pub tasks: BTreeMap<u32, Comm>,
    /// Times are nanoseconds, not instructions.
    pub nanoseconds: bool,
}

/// Writes a file. `vcpus` are the pages of each vCPU, from 0 on.
///
/// # Errors
/// Those of `out`, and of what was written before.
pub fn write(out: &mut dyn Write, head: &TraceDatHead, vcpus: Vec<RingPages>) -> io::Result<()> {
    let pages = vcpus.into_iter().map(RingPages::finish).collect::<io::Result<Vec<_>>>()?;
    let mut bytes = head.bytes(pages.len());
    // With what follows: offset and size of each vCPU's pages, then the clock.
    let clock = [&(head.clock().len() as u64).to_le_bytes()[..], head.clock().as_bytes()].concat();
    let mut at = (bytes.len() + pages.len() * 16 + clock.len()).next_multiple_of(PAGE) as u64;
    for (_, size) in &pages {
        bytes.extend(at.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        at += size;
    }
    bytes.extend(clock);
    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
    out.write_all(&bytes)?;
    pages.into_iter().try_for_each(|(mut file, size): (File, u64)| {
        let copied = io::copy(&mut file, out)?;
        if copied == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    })
}

impl TraceDatHead {
    /// `trace_clock`: the one that is used is in brackets. Readers print times of the local one as seconds, those of a
    /// counter as they are.
    fn clock(&self) -> &'static str {
        if self.nanoseconds { "[local]\0" } else { "[counter]\0" }
    }

    /// Everything up to the places of the pages.
    fn bytes(&self, vcpus: usize) -> Vec<u8> {
        let mut bytes = b"\x17\x08\x44tracing6\0".to_vec();
        // Little-endian, 8 bytes in a long.
        bytes.extend([0, 8]);
        bytes.extend((PAGE as u32).to_le_bytes());
        bytes.extend(b"header_page\0");
        sized(&mut bytes, &header_page());
        bytes.extend(b"header_event\0");
        sized(&mut bytes, HEADER_EVENT);
        let (own, others): (Vec<_>, Vec<_>) = FORMATS.iter().partition(|format| format.system == "ftrace");
        formats(&mut bytes, &own);
        let systems = Vec::from_iter(others.chunk_by(|one, other| one.system == other.system));
        bytes.extend((systems.len() as u32).to_le_bytes());
        for system in systems {
            bytes.extend(system[0].system.as_bytes());
            bytes.push(0);
            formats(&mut bytes, system);
        }
        let functions = self.kallsyms();
        bytes.extend((functions.len() as u32).to_le_bytes());
        bytes.extend(functions.as_bytes());
        // No formats of trace_printk.
        bytes.extend(0_u32.to_le_bytes());
        let tasks: String = self.tasks.iter().map(|(pid, comm)| format!("{pid} {comm}\n")).collect();
        sized(&mut bytes, &tasks);
        bytes.extend((vcpus as u32).to_le_bytes());
        bytes.extend(b"options  \0");
        bytes.extend(OPTION_CLOCK.to_le_bytes());
        bytes.extend((self.clock().len() as u32).to_le_bytes());
        bytes.extend(self.clock().as_bytes());
        bytes.extend(0_u16.to_le_bytes());
        bytes.extend(b"flyrecord\0");
        bytes
    }

    /// `/proc/kallsyms`.
    fn kallsyms(&self) -> String {
        let line = |(address, (name, module)): (&u64, &(String, Option<String>))| {
            let module = module.as_ref().map_or_else(String::new, |module| format!("\t[{module}]"));
            format!("{address:016x} t {name}{module}\n")
        };
        self.functions.iter().map(line).collect()
    }
}

/// Text with its size before it.
fn sized(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Format files with their number before them.
fn formats(bytes: &mut Vec<u8>, all: &[&TracepointFormat]) {
    bytes.extend((all.len() as u32).to_le_bytes());
    all.iter().for_each(|format| sized(bytes, &format.text()));
}

/// `events/header_page` (`ring_buffer_print_page_header`).
fn header_page() -> String {
    format!(
        "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
         \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
         \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
         \tfield: char data;\toffset:{PAGE_HEAD};\tsize:{};\tsigned:1;\n",
        PAGE - PAGE_HEAD
    )
}

/// `events/header_event` (`ring_buffer_print_entry_header`).
const HEADER_EVENT: &str = "# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\
                            \tarray       :   32 bits\n\n\tpadding     : type == 29\n\ttime_extend : type == 30\n\
                            \ttime_stamp : type == 31\n\tdata max type_len  == 28\n";

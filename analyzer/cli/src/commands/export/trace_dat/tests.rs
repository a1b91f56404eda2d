//! Files of trace-cmd, read back.

use super::formats::{FIRST_BLOCK, FORMATS, GRAPH_ENTRY, GRAPH_EXIT};
use super::ring::tests::events;
use crate::commands::export::format::FormatName;
use crate::commands::export::rows::RecordTable;
use crate::commands::export::tests::one;
use iotrace::analysis::records::RecordQuery;
use iotrace_synthetic_guest::{buffered, direct_write, small};
use std::collections::BTreeMap;

/// The events of a vCPU: time and data.
type VcpuEvents = Vec<(u64, Vec<u8>)>;

/// A file: its head, and the events of its vCPUs.
fn parts(file: &[u8]) -> (String, Vec<VcpuEvents>) {
    let name = b"flyrecord\0";
    let at = file.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len();
    let long = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
    let options = file[..at].windows(10).rposition(|bytes| bytes == b"options  \0").unwrap();
    let vcpus = u32::from_le_bytes(file[options - 4..options].try_into().unwrap()) as usize;
    let pages = (0..vcpus).map(|vcpu| (long(at + vcpu * 16), long(at + vcpu * 16 + 8)));
    let all = pages.map(|(from, size)| events(&file[from..from + size])).collect();
    (String::from_utf8_lossy(&file[..at]).into_owned(), all)
}

#[test]
fn calls_are_nested_and_last_as_long_as_they_say() {
    for guest in [direct_write(), buffered(), small()] {
        let file = one(&guest, FormatName::TraceDat, RecordTable::Ios, &RecordQuery::default());
        let (_, vcpus) = parts(&file);
        let mut stacks = BTreeMap::<u32, Vec<(u64, u64)>>::new();
        let mut ended = 0;
        for (at, data) in vcpus.iter().flatten() {
            let id = u16::from_le_bytes(data[..2].try_into().unwrap());
            let pid = u32::from_le_bytes(data[4..8].try_into().unwrap());
            let long = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
            let stack = stacks.entry(pid).or_default();
            if id == GRAPH_ENTRY {
                stack.push((*at, long(8)));
            } else if id == GRAPH_EXIT {
                assert_eq!((stack.pop(), *at), (Some((long(24), long(8))), long(32)));
                ended += 1;
            } else {
                assert!(FORMATS.iter().any(|format| format.id == id), "{id}");
            }
        }
        assert!(ended > 4, "{ended}");
    }
}

#[test]
fn a_file_has_the_names_and_the_block_events() {
    let file = one(&direct_write(), FormatName::TraceDat, RecordTable::Ios, &RecordQuery::default());
    assert!(file.starts_with(b"\x17\x08\x44tracing6\0\0\x08\x00\x10\x00\x00header_page\0"));
    let (head, vcpus) = parts(&file);
    for text in ["42 dd\n", " t sys_pwrite_function\n", "name: block_rq_issue\n", "[local]"] {
        assert!(head.contains(text), "{text}: {head}");
    }
    let issue = vcpus[0].iter().find(|(_, data)| data[..2] == (FIRST_BLOCK + 7).to_le_bytes()).unwrap();
    let (at, data) = issue;
    assert_eq!(
        (*at, &data[4..12], &data[16..28]),
        (4800, &[42, 0, 0, 0, 0, 0, 0x80, 0][..], &[88, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0][..])
    );
    assert_eq!((&data[28..36], &data[36..40]), (&b"WS\0\0\0\0\0\0"[..], &b"dd\0\0"[..]));
}

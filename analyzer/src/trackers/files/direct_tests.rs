//! The tracker of files by itself.

use super::fixture::Files;
use super::live::MOST;
use super::*;
use crate::model::File;
use crate::trackers::fixture::RoleArguments;
use crate::trackers::timelines::{HARDIRQ, INODE, SDA};
use iotrace_format::definition::TraceInfo;
use iotrace_format::event::{MARK_BEGIN, MARK_END};

const FILE: [(&str, u64); 3] = [("file", 1), ("file.ino", INODE), ("file.dev", SDA)];
const PAGE: [(&str, u64); 5] = [
    ("bio.page_mapping", 0xffff_8880_0000_0000),
    ("bio.page_index", 2),
    ("bio.page_offset", 100),
    ("bio.page_ino", INODE),
    ("bio.page_dev", SDA),
];
/// Where in the file the first byte of that page is.
const BEGIN: u64 = 2 * 4096 + 100;

impl Files {
    fn current(&mut self) -> Option<FileCall> {
        let Self { source, tracker, .. } = self;
        source.at(999, &[], |context| tracker.current_call(context))
    }

    /// Writes bytes into the page cache.
    fn cache(&mut self, clock: u64, from: u64, count: u64) {
        let arguments = [("iocb.pos", from), ("iocb.ino", INODE), ("iocb.dev", SDA), ("iter.count", count)];
        self.reach(clock, "cache.write", &arguments);
    }

    fn queue(&mut self, op: OpName, bytes: u64, arguments: RoleArguments<'_>, cause: &Cause) -> Vec<Carried> {
        let Self { source, tracker, found } = self;
        let bio = QueuedBio { pointer: 1, id: 8, op, bytes };
        source.reach_only(900, "bio.queue", arguments, |fact| tracker.bio_queued(fact, &bio, cause, found))
    }
}

// begin 5, write 10 .. 50, the VFS 20, no bytes in the page cache
#[test]
fn an_io_has_what_its_system_call_says() {
    let mut files = Files::default();
    files.source.mark(MARK_BEGIN);
    let begun =
        files.syscall(10, "sys.pwrite64", &[("regs.fd", 3 | 7 << 32), ("regs.count", 59), ("regs.pos", 118)]);
    assert_eq!(begun, BegunIo { id: 1, syscall: "pwrite64".into(), address: None });
    let name = u64::from_le_bytes(*b"test.txt");
    let more = [&FILE[..], &[("file.name0", name), ("count", 7), ("pos.value", 9)]].concat();
    files.enter(20, "vfs.write", &more);
    files.exit(30, "vfs.write", 59);
    files.exit(50, "sys.pwrite64", 5_u64.wrapping_neg());
    let [io] = &files.found.ios[..] else { panic!("{:?}", files.found.ios) };
    assert_eq!((io.id, io.call, io.task.pid, io.fd), (1, Some(1), 42, Some(3)));
    assert_eq!((io.position, io.count, io.returned), (Some(118), Some(59), Some(-5)));
    assert_eq!((io.entered, io.left, io.cost, io.in_workload), (10, Some(50), 40, true));
    assert_eq!(io.file, Some(File { ino: INODE, dev: SDA, name: "test.txt".into(), on_disk: true }));
    assert_eq!((io.cached, io.bios.len(), io.carried.len()), (0, 0, 0));
}

/// By the flags of their type: one that needs a device, one in a network (`FS_RENAME_DOES_D_MOVE`), one in memory
/// (`FS_USERNS_MOUNT`).
#[test]
fn an_io_of_a_file_system_in_a_network_concerns_a_disk() {
    for (flags, expected) in [(1, true), (1 << 15 | 2, true), (8, false)] {
        let mut files = Files::default();
        files.source.mark(MARK_BEGIN);
        files.syscall(10, "sys.write", &[("fd", 3), ("count", 59)]);
        let file =
            [("file", 1), ("file.ino", INODE), ("file.dev", 22), ("file.fs_flags", flags), ("count", 59)];
        files.enter(20, "vfs.write", &file);
        files.exit(30, "vfs.write", 59);
        files.exit(50, "sys.write", 59);
        let [io] = &files.found.ios[..] else { panic!("{:?}", files.found.ios) };
        assert_eq!(io.concerns_a_disk(), expected, "{flags:#x}");
    }
}

#[test]
fn a_position_is_an_argument_or_the_files() {
    // The position that preadv2 is given for the file's own is none.
    for (stage, pos, expected) in [
        ("sys.write", None, Some(9)),
        ("sys.pread64", Some(118), Some(118)),
        ("sys.preadv2", Some(u64::MAX), Some(9)),
    ] {
        let mut files = Files::default();
        files.source.mark(MARK_END);
        let arguments = [("fd", 4), ("count", 59)].into_iter().chain(pos.map(|pos| ("pos", pos)));
        files.syscall(10, stage, &arguments.collect::<Vec<_>>());
        files.enter(20, "vfs.read", &[&FILE[..], &[("count", 7), ("pos.value", 9)]].concat());
        files.enter(21, "vfs.read", &[("file.ino", 5), ("count", 70), ("pos.value", 90)]);
        let ios = files.finish();
        let [io] = &ios[..] else { panic!("{ios:?}") };
        assert_eq!((io.position, io.count, io.fd, io.left), (expected, Some(59), Some(4), None), "{stage}");
        assert_eq!((io.file.as_ref().map(|file| file.ino), io.in_workload), (Some(INODE), false));
    }
}

#[test]
fn what_the_call_does_not_say_the_file_system_says() {
    let mut files = Files::default();
    files.syscall(10, "sys.read", &[("regs.count", 7)]);
    files.enter(20, "vfs.read", &[&FILE[..], &[("count", 7), ("pos.value", 9)]].concat());
    let ios = files.finish();
    assert_eq!((ios[0].position, ios[0].count, ios[0].fd), (Some(9), Some(7), None));
}

#[test]
fn the_innermost_call_into_the_file_system_is_current() {
    let mut files = Files::default();
    assert_eq!(files.current(), None);
    for (clock, stage, kind) in [
        (10, "vfs.read", FileCallKind::Read),
        (20, "vfs.write", FileCallKind::Write),
        (30, "vfs.fsync", FileCallKind::Fsync),
    ] {
        files.enter(clock, stage, &[&FILE[..], &[("count", clock), ("pos.value", 9)]].concat());
        let (count, position) = (Some(clock), Some(9));
        let expected = FileCall { kind, clock, ino: INODE, dev: SDA, count, position };
        assert_eq!(files.current(), Some(expected), "{stage}");
    }
    files.syscall(40, "sys.write", &[]);
    assert_eq!(files.current(), None, "a system call is a context of its own");
    files.exit(50, "sys.write", 0);
    files.exit(51, "vfs.fsync", 0);
    assert_eq!(files.current().map(|call| call.kind), Some(FileCallKind::Write));
    files.source.context = HARDIRQ;
    assert_eq!(files.current(), None);
}

#[test]
fn a_call_that_was_not_seen_to_end_leaves_its_io_open() {
    let mut files = Files::default();
    files.syscall(10, "sys.read", &[("count", 5)]);
    let Files { source, tracker, found } = &mut files;
    source.lose(20, "sys.read", |end| tracker.end(end, found));
    let left: Vec<_> = files.found.ios.iter().map(|io| io.left).collect();
    assert_eq!(left, [None], "nothing more will be seen of it");
}

#[test]
fn an_io_whose_task_is_gone_is_given_up() {
    let mut files = Files::default();
    files.syscall(10, "sys.read", &[("count", 5)]);
    let stack = files.source.at(20, &[], |context| context.calls.stack_number());
    files.tracker.task_gone(stack + 1, &mut files.found);
    assert_eq!(files.found.ios.len(), 0, "that is another task's");
    files.tracker.task_gone(stack, &mut files.found);
    assert_eq!((files.found.ios.len(), files.found.ios[0].left), (1, None));
    files.exit(30, "sys.read", 5);
    assert_eq!(files.finish().len(), 1);
}

// #1 writes BEGIN..+50, #2 +50..+150; the bio carries 100 bytes
#[test]
fn a_bio_carries_the_bytes_of_ios() {
    let mut files = Files::default();
    for (clock, from, count) in [(10, BEGIN, 50), (30, BEGIN + 50, 100)] {
        files.syscall(clock, "sys.write", &[]);
        files.cache(clock + 1, from, count);
        files.exit(clock + 5, "sys.write", count);
    }
    assert_eq!(files.found.ios.len(), 0, "their bytes are not written");
    let carried = |io, from, to| Carried { io, bio: 8, from, to };
    let carries = files.queue(OpName::Write, 100, &PAGE, &Cause::Unknown);
    let expected = [carried(1, BEGIN, BEGIN + 50), carried(2, BEGIN + 50, BEGIN + 100)];
    assert_eq!(carries, expected);
    let ids: Vec<_> = files.found.ios.iter().map(|io| io.id).collect();
    assert_eq!((ids, &files.found.ios[0].carried[..]), (vec![1], &expected[..1]));
    assert_eq!(files.queue(OpName::Write, 100, &PAGE, &Cause::Unknown), []);
    let ios = files.finish();
    assert_eq!(
        (ios[1].id, ios[1].unwritten(), ios[1].cached, ios[1].position),
        (2, 50, 100, Some(BEGIN + 50))
    );
}

#[test]
fn only_a_write_of_a_files_pages_carries_bytes() {
    let page = |at: usize, value: u64| {
        let mut page = PAGE;
        page[at].1 = value;
        page
    };
    for (op, arguments, carries) in [
        (OpName::Write, PAGE, 1),
        (OpName::Read, PAGE, 0),
        (OpName::Write, page(0, 0), 0),
        (OpName::Write, page(0, PAGE[0].1 | 1), 0),
        (OpName::Write, page(0, PAGE[0].1 | 2), 0),
        (OpName::Write, page(0, PAGE[0].1 | 4), 1),
        (OpName::Write, page(1, u64::MAX), 0),
        (OpName::Write, page(1, (i64::MAX as u64) >> 11), 0),
        (OpName::Write, page(3, 0), 0),
        (OpName::Write, page(3, INODE + 1), 0),
        (OpName::Write, page(4, SDA + 1), 0),
    ] {
        let mut files = Files::default();
        files.syscall(10, "sys.write", &[]);
        files.cache(11, BEGIN, 50);
        assert_eq!(files.queue(op, 100, &arguments, &Cause::Unknown).len(), carries, "{op} {arguments:x?}");
    }
}

#[test]
fn pages_are_as_large_as_the_trace_says() {
    let mut files = Files::default();
    let layout = Layout { page_shift: 16, ..Layout::default() };
    files.tracker.define(&Definition::Trace(TraceInfo { layout, ..TraceInfo::default() }));
    files.syscall(10, "sys.write", &[]);
    files.cache(11, (2 << 16) + 100, 50);
    assert_eq!(files.queue(OpName::Write, 100, &PAGE, &Cause::Unknown).len(), 1);
}

#[test]
fn a_bio_belongs_to_the_io_that_it_originates_from() {
    let mut files = Files::default();
    let io = files.syscall(10, "sys.write", &[]).id;
    let cause = Cause::Syscall { io, name: "write".into(), task: crate::model::Task::default() };
    files.queue(OpName::Read, 100, &[], &cause);
    files.queue(OpName::Read, 100, &[], &Cause::Softirq);
    assert_eq!(files.finish()[0].bios, [8]);
}

#[test]
fn bytes_are_put_into_the_page_cache_by_the_io_around() {
    let mut files = Files::default();
    files.cache(5, BEGIN, 50);
    files.syscall(10, "sys.pwrite64", &[("pos", 7)]);
    files.source.context = HARDIRQ;
    files.cache(11, BEGIN, 50);
    files.source.context = 0;
    // Without a position or a length the event says nothing.
    files.reach(12, "cache.write", &[("iocb.ino", INODE), ("iter.count", 9)]);
    files.reach(13, "cache.write", &[("mapping.ino", INODE), ("pos", 9)]);
    assert_eq!(files.tracker.counts().of(Oddity::WordMissing), 2);
    // Positions beyond the largest are none; a length has 32 bits.
    files.reach(14, "cache.write", &[("mapping.ino", 3), ("pos", u64::MAX), ("len", 9)]);
    files.reach(
        15,
        "cache.write",
        &[("mapping.ino", 3), ("mapping.dev", 4), ("pos", 4096), ("len", 9 | 1 << 32)],
    );
    let page = [("bio.page_mapping", 8), ("bio.page_index", 1), ("bio.page_offset", 0), ("bio.page_ino", 3)];
    let page = [&page[..], &[("bio.page_dev", 4)]].concat();
    let carries = files.queue(OpName::Write, 4096, &page, &Cause::Unknown);
    assert_eq!(carries, [Carried { io: 1, bio: 8, from: 4096, to: 4105 }]);
    let io = files.finish().remove(0);
    assert_eq!((io.cached, io.position), (9, Some(4096)), "where it writes is certain");
}

#[test]
fn an_io_without_bytes_is_over_when_it_returns_and_others_when_a_bio_has_carried_all() {
    let mut files = Files::default();
    files.syscall(10, "sys.write", &[]);
    files.cache(11, BEGIN, 50);
    files.queue(OpName::Write, 4096, &PAGE, &Cause::Unknown);
    assert_eq!(files.found.ios.len(), 0, "it has not returned");
    files.exit(20, "sys.write", 50);
    assert_eq!(files.found.ios.len(), 1);
    assert_eq!(files.tracker.live.len(), 0);
}

// The oldest that has returned goes before older ones that are under way.
#[test]
fn the_oldest_that_only_waits_is_given_up_first() {
    let mut files = Files::default();
    files.syscall(1, "sys.fsync", &[]);
    for number in 0..MOST as u64 - 1 {
        files.syscall(10, "sys.write", &[]);
        files.cache(11, number * 10, 10);
        files.exit(12, "sys.write", 10);
    }
    assert_eq!((files.tracker.live.len(), files.found.ios.len()), (MOST, 0));
    files.syscall(20, "sys.read", &[]);
    assert_eq!((files.tracker.live.len(), files.found.ios[0].id), (MOST, 2));
    assert_eq!(files.tracker.counts().of(Oddity::IoGivenUp), 1);
    let left: Vec<_> = files
        .tracker
        .live
        .carry(((SDA, INODE), 0, 15), 1, false)
        .iter()
        .map(|c| (c.io, c.from, c.to))
        .collect();
    assert_eq!(left, [(3, 10, 15)], "its bytes are forgotten");
}

#[test]
fn bytes_beyond_the_largest_position_are_none() {
    for (from, cached) in [(LARGEST - 9, 9), (LARGEST - 4, 4), (LARGEST, 0), (LARGEST + 1, 0)] {
        let mut files = Files::default();
        files.syscall(10, "sys.write", &[("count", 9)]);
        files.cache(11, from, 9);
        assert_eq!(files.finish()[0].cached, cached, "{from:#x}");
    }
}

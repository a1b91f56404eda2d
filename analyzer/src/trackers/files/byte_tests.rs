//! What becomes of the bytes of I/Os, and which I/O something is.

use super::fixture::Files;
use super::pages::FileKey;
use super::*;
use crate::trackers::timelines::{INODE, SDA};

const FILE: FileKey = (SDA, INODE);

impl Files {
    /// Copies bytes into the page cache: how many are requested, and copied.
    fn copy(&mut self, from: u64, count: u64, copied: u64) {
        let arguments = [("iocb.pos", from), ("iocb.ino", INODE), ("iocb.dev", SDA), ("iter.count", count)];
        self.enter(20, "cache.write", &arguments);
        self.exit(30, "cache.write", copied);
    }

    fn write(&mut self, from: u64, count: u64, copied: u64) {
        self.syscall(10, "sys.write", &[("regs.fd", 3), ("regs.count", count)]);
        self.copy(from, count, copied);
        self.exit(30, "sys.write", copied);
    }

    fn drop_from(&mut self, from: u64, to: u64) {
        let range = [("mapping.ino", INODE), ("mapping.dev", SDA), ("lstart", from), ("lend", to)];
        self.enter(20, "cache.drop", &range);
        self.exit(30, "cache.drop", 0);
    }

    /// A bio at an address is queued with runs of bytes that are being written back: what it carries.
    fn queue_runs(&mut self, pointer: u64, runs: &[(u64, u64)]) -> Vec<(IoId, u64, u64)> {
        self.queue_pages(pointer, &runs.iter().map(|(from, bytes)| (*from, *bytes, 1)).collect::<Vec<_>>())
    }

    fn queue_pages(&mut self, pointer: u64, runs: &[(u64, u64, u64)]) -> Vec<(IoId, u64, u64)> {
        let Self { source, tracker, found } = self;
        for (from, bytes, writeback) in runs {
            let words = [pointer, SDA, INODE, *from, *bytes, *writeback];
            source.at(40, &words, |context| tracker.bio_pages(context.event));
        }
        let bio = QueuedBio { pointer, id: pointer, op: OpName::Write, bytes: 4096 };
        let carries = source
            .reach_only(50, "bio.queue", &[], |fact| tracker.bio_queued(fact, &bio, &Cause::Unknown, found));
        carries.iter().map(|carried| (carried.io, carried.from, carried.to)).collect()
    }

    fn end_of_bio(&mut self, pointer: u64) {
        let Self { source, tracker, .. } = self;
        source.reach_only(60, "bio.end", &[("bio", pointer)], |fact| tracker.bio_ended(fact));
    }

    fn io(&self, id: IoId) -> &Io {
        self.found.ios.iter().find(|io| io.id == id).expect("it is over")
    }

    fn finished(mut self) -> Self {
        self.tracker.finish(&mut self.found);
        self
    }
}

#[test]
fn bytes_that_were_not_copied_stay_whose_they_were() {
    let mut files = Files::default();
    files.write(0, 200, 200);
    files.write(100, 200, 60);
    assert_eq!(files.queue_runs(1, &[(0, 4096)]), [(1, 0, 100), (2, 100, 160), (1, 160, 200)]);
    let (first, second) = (files.io(1), files.io(2));
    assert_eq!((first.cached, first.overwritten, first.written), (200, 60, 140));
    assert_eq!((second.cached, second.written, second.unwritten()), (60, 60, 0));
}

/// One whose bytes are all replaced is not over before it is certain that they are.
#[test]
fn an_io_whose_bytes_come_back_is_still_followed() {
    let mut files = Files::default();
    files.write(0, 100, 100);
    files.write(0, 200, (-14_i64).cast_unsigned());
    assert_eq!(files.queue_runs(1, &[(0, 4096)]), [(1, 0, 100)]);
    assert_eq!((files.io(1).overwritten, files.io(1).unwritten()), (0, 0));
}

#[test]
fn a_write_that_fails_puts_nothing_into_the_page_cache() {
    let mut files = Files::default();
    files.write(0, 5, (-14_i64).cast_unsigned());
    assert_eq!((files.io(1).cached, files.queue_runs(1, &[(0, 4096)]).len()), (0, 0));
}

#[test]
fn bytes_that_are_dropped_are_nobodys_if_the_inode_is_used_again() {
    let mut files = Files::default();
    files.write(0, 4000, 4000);
    files.drop_from(0, u64::MAX);
    files.write(0, 3, 3);
    assert_eq!(files.queue_runs(1, &[(0, 4096)]), [(2, 0, 3)]);
    assert_eq!((files.io(1).dropped, files.io(1).unwritten(), files.io(1).carried.len()), (4000, 4000, 0));
}

/// A file system drops pages of a write that it then goes on with.
#[test]
fn bytes_that_a_write_copies_again_are_its_own() {
    let mut files = Files::default();
    files.syscall(10, "sys.write", &[("regs.count", 8192)]);
    let arguments = [("iocb.pos", 0), ("iocb.ino", INODE), ("iocb.dev", SDA), ("iter.count", 8192)];
    files.enter(20, "cache.write", &arguments);
    files.drop_from(4096, 8191);
    files.exit(30, "cache.write", 5000);
    files.exit(30, "sys.write", 5000);
    assert_eq!(files.queue_runs(1, &[(0, 8192)]), [(1, 0, 4096), (1, 4096, 5000)]);
    assert_eq!((files.io(1).cached, files.io(1).unwritten()), (5000, 0));
}

#[test]
fn the_position_is_that_of_the_first_page() {
    let mut files = Files::default();
    files.syscall(10, "sys.write", &[("regs.count", 12_288)]);
    for page in 0..3 {
        files.copy((1 << 20) + page * 4096, 4096, 4096);
    }
    files.exit(30, "sys.write", 12_288);
    assert_eq!(files.finished().io(1).position, Some(1 << 20));
}

#[test]
fn a_bio_carries_what_is_in_its_pages_and_is_written_back() {
    let mut files = Files::default();
    files.write(0, 16_384, 16_384);
    // A page of the file that a direct write takes its bytes from.
    assert_eq!(files.queue_pages(1, &[(0, 4096, 0)]), []);
    assert_eq!(files.queue_runs(2, &[(0, 1024), (8192, 4096)]), [(1, 0, 1024), (1, 8192, 12_288)]);
    assert_eq!(files.finished().io(1).unwritten(), 16_384 - 1024 - 4096);
}

#[test]
fn copies_of_a_bio_carry_the_same_and_what_is_left_of_a_split_one_nothing_more() {
    let mut files = Files::default();
    files.write(0, 8192, 8192);
    assert_eq!(files.queue_runs(1, &[(0, 8192)]), [(1, 0, 8192)]);
    assert_eq!(files.queue_runs(1, &[(4096, 4096)]), [], "the rest of it");
    assert_eq!(files.queue_runs(2, &[(0, 8192)]), [(1, 0, 8192)], "a copy on another device");
    files.end_of_bio(1);
    assert_eq!(files.queue_runs(3, &[(0, 8192)]), [], "written again, by an unknown I/O");
    assert_eq!((files.io(1).written, files.io(1).unwritten()), (8192, 0));
}

#[test]
fn a_copy_from_file_to_file_has_both() {
    let access = |ino: u64, writes: u64, at: u64| {
        let file = [("file", 1), ("file.ino", ino), ("file.dev", SDA), ("file.fs_flags", 1)];
        [&file[..], &[("read_write", writes), ("pos.value", at), ("count", 50)]].concat()
    };
    let mut files = Files::default();
    files.syscall(10, "sys.sendfile", &[("regs.fd", 4), ("regs.count", 50)]);
    for (ino, writes, at) in [(7, 0, 100), (INODE, 1, 300)] {
        files.enter(20, "file.access", &access(ino, writes, at));
        files.exit(30, "file.access", 50);
    }
    files.copy(300, 50, 50);
    files.exit(30, "sys.sendfile", 50);
    let files = files.finished();
    let io = files.io(1);
    let source = io.source.as_ref().unwrap();
    assert_eq!((source.file.ino, source.position), (7, Some(100)));
    assert_eq!((io.file.as_ref().unwrap().ino, io.position, io.cached), (INODE, Some(300), 50));
    assert!(io.concerns_a_disk());
}

#[test]
fn a_large_folio_that_is_mapped_to_be_written_is_dirty_as_a_whole() {
    let fault = |flags: u64, mapping: u64| {
        [
            ("vmf", 1),
            ("vmf.page_index", 6),
            ("vmf.ino", INODE),
            ("vmf.dev", SDA),
            ("vmf.size", 7 * 4096 + 10),
            ("vmf.address", 0x7000_6000),
            ("vmf.flags", flags),
            ("vmf.vma_flags", mapping),
            ("page_count", 4),
            ("address", 0x7000_4000),
        ]
    };
    for (flags, mapping, expected) in [(1, 8, &[(1, 4 * 4096, 7 * 4096 + 10)][..]), (0, 8, &[]), (1, 0, &[])]
    {
        let mut files = Files::default();
        files.syscall(10, "sys.write", &[("regs.count", 1)]);
        files.enter(20, "cache.map", &fault(flags, mapping));
        assert_eq!(files.queue_runs(1, &[(0, 16 << 12)]), expected);
    }
}

#[test]
fn a_request_of_libaio_is_an_io_of_its_own_up_to_its_completion() {
    let mut files = Files::default();
    files.syscall(10, "sys.io_submit", &[("regs.fd", 1)]);
    let cause = Cause::Syscall { io: 1, name: "io_submit".into(), task: crate::model::Task::default() };
    let words = [("req", 0xe0), ("iocb", 5), ("opcode", 1), ("user_data", 77), ("pos", 4096), ("count", 512)];
    let Files { source, tracker, found } = &mut files;
    let begun = source.enter(20, "entry.issue", &words, |fact| tracker.entry_issued(fact, &cause, found));
    assert_eq!(begun.map(|io| (io.id, io.syscall)), Some((2, "aio_pwrite".into())));
    files.copy(4096, 512, 512);
    let Files { source, tracker, found } = &mut files;
    source.exit(30, "entry.issue", 0, |end| tracker.end(end, found));
    source.reach_only(90, "entry.complete", &[("req", 0xe0), ("res", 512)], |fact| {
        tracker.entry_complete(fact, found);
    });
    assert_eq!(files.queue_runs(1, &[(4096, 4096)]), [(2, 4096, 4608)]);
    let io = files.io(2);
    assert_eq!((io.submitter, io.user_data, io.left, io.returned), (Some(1), Some(77), Some(90), Some(512)));
    assert_eq!((io.position, io.count), (Some(4096), Some(512)));
}

/// `EIOCBQUEUED` is no result; the last of several attempts returns what was left.
#[test]
fn the_result_of_an_entry_is_all_that_it_moved() {
    let mut files = Files::default();
    let Files { source, tracker, found } = &mut files;
    let words = [("req", 0xe0), ("opcode", 22), ("user_data", 1), ("pos", 4096)];
    source.enter(20, "entry.issue", &words, |fact| tracker.entry_issued(fact, &Cause::Unknown, found));
    source.exit(30, "entry.issue", 0, |end| tracker.end(end, found));
    for (clock, res) in [(40, (-529_i64).cast_unsigned()), (50, 0)] {
        let words = [("req", 0xe0), ("res", res), ("pos", 4096 + 700)];
        source.reach_only(clock, "entry.complete", &words, |fact| tracker.entry_complete(fact, found));
    }
    let io = files.io(1);
    assert_eq!((&*io.syscall, io.returned, io.left), ("io_uring_read", Some(700), Some(50)));
}

#[test]
fn of_other_system_calls_only_what_caused_disk_io_is_an_io() {
    let mut files = Files::default();
    files.syscall(10, "sys.getpid", &[]);
    files.exit(30, "sys.getpid", 1);
    files.syscall(10, "sys.mkdir", &[]);
    let Files { source, tracker, found } = &mut files;
    let cause = Cause::Syscall { io: 2, name: "mkdir".into(), task: crate::model::Task::default() };
    let bio = QueuedBio { pointer: 1, id: 9, op: OpName::Read, bytes: 4096 };
    source.reach_only(50, "bio.queue", &[], |fact| tracker.bio_queued(fact, &bio, &cause, found));
    files.exit(30, "sys.mkdir", 0);
    let over: Vec<_> = files.found.ios.iter().map(|io| (&*io.syscall, &io.bios[..], io.is_io())).collect();
    assert_eq!(over, [("getpid", &[][..], false), ("mkdir", &[9][..], true)]);
    assert!(files.tracker.live.carry((FILE, 0, 1), 1, true).is_empty());
}

/// The last close of a file is done before the task returns to user mode, when the system call has returned.
#[test]
fn an_io_is_not_over_before_the_work_that_it_asked_for() {
    let mut files = Files::default();
    files.syscall(10, "sys.close", &[("regs.fd", 3)]);
    files.tracker.awaits(1, 1, &mut files.found);
    files.exit(30, "sys.close", 0);
    let Files { source, tracker, found } = &mut files;
    let cause = Cause::Syscall { io: 1, name: "close".into(), task: crate::model::Task::default() };
    let bio = QueuedBio { pointer: 1, id: 9, op: OpName::Write, bytes: 4096 };
    source.reach_only(50, "bio.queue", &[], |fact| tracker.bio_queued(fact, &bio, &cause, found));
    tracker.awaits(1, -1, found);
    assert_eq!(files.io(1).bios, [9]);
}

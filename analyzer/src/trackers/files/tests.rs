//! I/Os: system calls, and the bytes they put into the page cache.

use crate::model::Carried;
use crate::trackers::Oddity;
use crate::trackers::timelines::*;
use iotrace_format::definition::{Definition, Layout, TraceInfo};

#[test]
fn a_call_of_the_task_is_the_bios_cause_only_if_its_end_is_known() {
    let file = [("file", 1), ("file.ino", 77), ("file.dev", SDA), ("count", 59), ("pos.value", 118)];
    let mut guest = SyntheticGuest::default();
    guest.entry(2, "vfs.fsync", &[("file", 1), ("file.ino", 9)]); // leaves by a tail call
    guest.entry(3, "vfs.write", &file);
    guest.exit(4, "vfs.write", 59);
    guest.queue(5, C, io(0, 512, WRITE));
    guest.entry(6, "vfs.write", &file);
    guest.queue(7, B, io(8, 512, WRITE));
    guest.exit(8, "vfs.write", 59);
    let found = track(&guest);
    assert_eq!(found.bio(1).call, None);
    let call = found.bio(2).call.unwrap();
    assert_eq!(
        (call.kind.name(), call.ino, call.count, call.position),
        ("vfs.write", 77, Some(59), Some(118))
    );
}

// write #1 (0..59)   write #2 (59..118)   the page's bio by a kworker   write #3 (118..177)   write #4, direct
// 200                300                  500                           600                   700
#[test]
fn bytes_of_two_writes_are_carried_by_one_bio_of_a_kworker() {
    let found = track(&buffered());
    found.assert_sound();
    let carried = |io, from, to| Carried { io, bio: 1, from, to };
    assert_eq!(found.bio(1).carries, [carried(1, 0, 59), carried(2, 59, 118)]);
    assert_eq!(found.io(1).carried, [carried(1, 0, 59)]);
    let what: Vec<_> = found.ios.iter().map(|io| (io.id, io.all_bios(), io.cached, io.unwritten())).collect();
    assert_eq!(
        what,
        [
            (1, vec![1], 59, 0),
            (2, vec![1], 59, 0),
            (3, vec![1], 0, 0),
            (4, vec![], 59, 59),
            (5, vec![2], 0, 0)
        ]
    );
    let io = found.io(2);
    assert_eq!((&*io.syscall, io.fd, io.position, io.count), ("write", Some(3), Some(59), Some(59)));
    assert_eq!((io.returned, io.entered, io.left, io.in_workload), (Some(59), 300, Some(309), true));
    let file = io.file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), file.ino, io.task.pid), ("test.txt", INODE, 119));
    assert!(found.ios.iter().all(Io::concerns_a_disk));
}

#[test]
fn an_interrupt_in_a_system_call_is_not_its_cost() {
    let mut guest = SyntheticGuest::default();
    guest.begin_write(100, 3, 0, 59);
    guest.entry(110, "softirq.run", &[]);
    guest.exit(150, "softirq.run", 0);
    guest.end_write(160, 59);
    let found = track(&guest);
    assert_eq!((found.io(1).cost, found.io(1).left), (21, Some(161)));
}

// #1 writes 0..100, #2 40..60 over it; the bio carries what each has left
#[test]
fn what_was_overwritten_is_carried_for_the_later_write_and_unwritten_for_the_earlier() {
    let page = io(80, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.write(100, 0, 100);
    guest.write(200, 40, 20);
    guest.queue_page(300, B, page, 0);
    let found = track(&guest);
    let ranges: Vec<_> = found.bio(1).carries.iter().map(|c| (c.io, c.from, c.to)).collect();
    assert_eq!(ranges, [(1, 0, 40), (2, 40, 60), (1, 60, 100)]);
    assert_eq!((found.io(1).unwritten(), found.io(2).unwritten()), (20, 0));
}

// An appending write: the VFS still has the old position, the page cache the right one.
#[test]
fn an_appending_write_knows_its_position_from_the_page_cache() {
    let mut guest = SyntheticGuest::default();
    guest.begin_write(100, 3, 0, 59);
    guest.cache_write(110, 5000, 59);
    guest.end_write(120, 59);
    guest.queue_page(200, B, io(80, 4096, WRITE), 1);
    let found = track(&guest);
    assert_eq!(found.io(1).position, Some(5000));
    let ranges: Vec<_> = found.bio(1).carries.iter().map(|c| (c.io, c.from, c.to)).collect();
    assert_eq!(ranges, [(1, 5000, 5059)]);
}

#[test]
fn a_read_into_the_page_cache_carries_nothing() {
    let mut guest = SyntheticGuest::default();
    guest.write(100, 0, 59);
    guest.queue_page(200, B, io(80, 4096, 0), 0);
    let found = track(&guest);
    assert_eq!((found.bio(1).carries.len(), found.io(1).unwritten()), (0, 59));
}

// A file in memory: no bio ever comes for its bytes.
#[test]
fn bytes_that_never_reach_a_disk_are_not_waited_for_for_ever() {
    const TOO_MANY: u64 = 3;
    let most = super::live::MOST as u64;
    let mut guest = SyntheticGuest::default();
    for number in 0..most + TOO_MANY {
        guest.write(100 + 10 * number, 59 * number, 59);
    }
    guest.queue_page(u64::MAX, B, io(80, 4096, WRITE), 0);
    let found = track(&guest);
    // One more is the thread that queued the bio.
    assert_eq!(found.counts.of(Oddity::IoGivenUp), TOO_MANY + 1);
    assert_eq!(found.ios.len() as u64, most + TOO_MANY + 1);
    assert_eq!((found.io(1).unwritten(), found.bio(1).carries[0].io), (59, TOO_MANY + 2));
}

#[test]
fn a_page_is_as_large_as_the_trace_says() {
    let page = io(80, 4096, WRITE);
    for (page_shift, carried) in [(12, 0), (16, 1)] {
        let mut guest = SyntheticGuest::default();
        let layout = Layout { page_shift, ..Layout::default() };
        let info = TraceInfo { layout, vcpus: 1, ..TraceInfo::default() };
        guest.definitions[0] = Definition::Trace(info);
        guest.write(100, 1 << 16, 100);
        guest.queue_page(300, B, page, 1);
        assert_eq!(track(&guest).bio(1).carries.len(), carried, "{page_shift}");
    }
}

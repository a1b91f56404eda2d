//! Of bytes in the page cache: who wrote them, and which bio carried them.

use super::crafted::{Crafted, WRITE};
use super::{MANY, ask};
use iotrace_format::definition::At;

const INODE: u64 = 131;
const DISK: u64 = 8 << 20;

/// A guest that writes into a file.
struct Writer {
    trace: Crafted,
    write: (u16, u16),
    cache: u16,
    queue: u16,
}

impl Writer {
    fn new() -> Self {
        let mut trace = Crafted::default();
        let write = trace.call("sys.write", &["fd", "count"]);
        let cache =
            trace.probe("cache.write", At::Entry, &["iocb.pos", "iocb.ino", "iocb.dev", "iter.count"]);
        let page = ["bio.page_mapping", "bio.page_index", "bio.page_offset", "bio.page_ino", "bio.page_dev"];
        let words = [&["bio", "bio.size", "bio.op", "bio.traced"], &page[..]].concat();
        let queue = trace.probe("bio.queue", At::Entry, &words);
        Self { trace, write, cache, queue }
    }

    fn begin(&mut self) {
        self.trace.event(self.write.0, &[3, 4096]);
    }

    fn end(&mut self) {
        self.trace.event(self.write.1, &[0]);
    }

    fn cache(&mut self, from: u64, bytes: u64) {
        self.trace.event(self.cache, &[from, INODE, DISK, bytes]);
    }

    /// A bio of a page.
    fn queue(&mut self, bio: u64, page: u64) {
        self.trace
            .event(self.queue, &[bio << 8, 4096, WRITE, 0, 0xffff_8880_0700_0000, page, 0, INODE, DISK]);
    }
}

/// A system call that writes many pages and returns; each page is a bio's.
pub fn carried(count: u64) -> Vec<u8> {
    let mut guest = Writer::new();
    guest.begin();
    (0..count).for_each(|page| guest.cache(page << 12, 4096));
    guest.end();
    (0..count).for_each(|page| guest.queue(page + 1, page));
    guest.trace.file()
}

/// Many system calls that write some bytes of one page each, and a bio of the page.
pub fn shared(count: u64) -> Vec<u8> {
    let mut guest = Writer::new();
    for at in 0..count {
        guest.begin();
        guest.cache(at, 1);
        guest.end();
    }
    guest.queue(1, 0);
    guest.trace.file()
}

#[test]
fn bytes_of_one_system_call() {
    let report = ask(&carried(MANY / 2), &["report", "--all", "--limit", "1"]);
    // The bios are those of the thread that queued them, too.
    let ios = report.lines().filter(|line| line.contains("+524285"));
    assert!(ios.clone().any(|io| io.contains("write")), "{report}");
    assert!(!report.contains("unwritten"), "{report}");
}

/// I/Os each of which had written where others have written since: none of them is waited for.
#[test]
fn ranges_that_were_written_over() {
    let mut guest = Writer::new();
    let count = MANY / 8;
    for _ in 0..1 << 13 {
        guest.begin();
        guest.cache(0, 0xffff_f000);
        guest.end();
    }
    guest.begin();
    (0..count).for_each(|at| guest.cache(at << 13, 4096));
    guest.end();
    for _ in 0..MANY / 2 {
        guest.begin();
        guest.cache(1 << 33, 1);
        guest.end();
    }
    let report = ask(&guest.trace.file(), &["report", "--all", "--limit", "1"]);
    assert_eq!((1 << 13) + 1 + MANY / 2, 532_481);
    assert!(report.contains("I/Os (whole trace): 532,481"), "{report}");
    assert!(!report.contains("further I/Os"), "{report}");
}

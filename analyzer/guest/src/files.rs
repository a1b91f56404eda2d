//! System calls on a file, tasks that take turns, and the write-back of what was left in the page cache.

use super::*;

pub const KWORKER: u64 = 0xffff_8880_0000_2000;
pub const INODE: u64 = 131;
pub const WB_WORKFN: u64 = 0xffff_ffff_8100_1000;
pub const WAKE_FN: u64 = 0xffff_ffff_8100_2000;
const DIRTY_WORK: u64 = 0xd0;
const DIRTY_TIMER: u64 = 0xd1;

impl SyntheticGuest {
    /// A task gets its name.
    pub fn name_task(&mut self, clock: u64, task: u64, pid: u64, comm: &str) {
        let mut bytes = [0; 16];
        bytes[..comm.len()].copy_from_slice(comm.as_bytes());
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        self.raw(clock, event::TASK.id, &[task, pid, pid, word(0), word(8)]);
    }

    /// Another task runs.
    pub fn switch(&mut self, clock: u64, to: u64) {
        self.entry(clock, "task.switch", &[("prev", self.task), ("next", to)]);
        self.task = to;
    }

    fn file_words() -> Vec<(&'static str, u64)> {
        let name = u64::from_le_bytes(*b"test.txt");
        vec![("file.ino", INODE), ("file.dev", SDA), ("file.name0", name), ("file.name1", 0)]
    }

    /// Enters `write(fd, buf, count)` and goes as far as the VFS: two events.
    pub fn begin_write(&mut self, clock: u64, fd: u64, position: u64, count: u64) {
        self.entry(clock, "sys.write", &[("regs.fd", fd), ("regs.count", count)]);
        let words = [Self::file_words(), vec![("count", count), ("pos.value", position)]].concat();
        self.entry(clock + 1, "vfs.write", &words);
    }

    /// Puts bytes into the page cache.
    pub fn cache_write(&mut self, clock: u64, position: u64, count: u64) {
        let words = [("iocb.pos", position), ("iocb.ino", INODE), ("iocb.dev", SDA), ("iter.count", count)];
        self.entry(clock, "cache.write", &words);
        self.exit(clock + 1, "cache.write", count);
    }

    pub fn end_write(&mut self, clock: u64, count: u64) {
        self.exit(clock, "vfs.write", count);
        self.exit(clock + 1, "sys.write", count);
    }

    /// A whole buffered write, from `clock` to +9.
    pub fn write(&mut self, clock: u64, position: u64, count: u64) {
        self.begin_write(clock, 3, position, count);
        self.cache_write(clock + 2, position, count);
        self.end_write(clock + 8, count);
    }

    /// Queues a bio whose first page is one of the file's.
    pub fn queue_page(&mut self, clock: u64, bio: u64, io: Extent, page: u64) {
        let words = [
            ("bio.traced", 0),
            ("bio.chained", 0),
            ("bio.remaining", 1),
            ("bio.page_mapping", 0xffff_8880_0700_0000),
            ("bio.page_index", page),
            ("bio.page_offset", 0),
            ("bio.page_ino", INODE),
            ("bio.page_dev", SDA),
        ];
        self.queue_as(clock, bio, io, &words);
    }

    /// The file's inode becomes dirty: a timer is started, as by `queue_delayed_work`.
    pub fn start_flusher(&mut self, clock: u64) {
        self.entry(clock, "timer.start", &[("timer", DIRTY_TIMER)]);
    }

    /// The timer runs out in a softirq of whatever task runs, from `clock` to +9, and queues its work.
    pub fn run_timer(&mut self, clock: u64) {
        self.entry(clock, "softirq.run", &[]);
        self.at(SOFTIRQ, |guest| {
            guest.entry(clock + 1, "timer.run", &[("timer", DIRTY_TIMER), ("timer.func", WAKE_FN)]);
            guest.queue_work(clock + 2, DIRTY_WORK);
            guest.exit(clock + 5, "timer.run", 0);
        });
        self.exit(clock + 9, "softirq.run", 0);
    }

    pub fn queue_work(&mut self, clock: u64, work: u64) {
        self.entry(clock, "work.queue", &[("work", work)]);
    }

    /// The worker begins with its work; to be ended by [`SyntheticGuest::end_work`].
    pub fn begin_work(&mut self, clock: u64) {
        self.begin_work_of(clock, DIRTY_WORK);
    }

    pub fn begin_work_of(&mut self, clock: u64, work: u64) {
        self.entry(clock, "work.run", &[("work", work), ("work.func", WB_WORKFN)]);
    }

    pub fn end_work(&mut self, clock: u64) {
        self.exit(clock, "work.run", 0);
    }

    /// Issues, interrupts and completes a bio that has a request, from `clock` to +33.
    pub fn serve(&mut self, clock: u64, rq: u64, bio: u64, io: Extent) {
        self.issue(clock, rq, bio, io);
        self.interrupt(clock + 20, &[rq]);
        self.complete(clock + 30, rq, bio, io);
    }
}

/// A workload whose task writes twice into one page, which a kworker writes back, then a third time, which
/// nobody does; then writes directly.
pub fn buffered() -> SyntheticGuest {
    let (page, direct) = (io(80, 4096, WRITE), io(96, 4096, WRITE | SYNC));
    let mut guest = SyntheticGuest::default();
    for (address, name) in [(WB_WORKFN, "wb_workfn"), (WAKE_FN, "delayed_work_timer_fn")] {
        guest.definitions.push(Definition::Symbol(AddressName { address, name: name.into() }));
    }
    guest.name_task(2, KWORKER, 26, "kworker/u2:2");
    guest.name_task(3, TASK, 119, "loop-write");
    guest.mark(100, event::MARK_BEGIN);
    guest.begin_write(200, 3, 0, 59);
    guest.cache_write(210, 0, 59);
    guest.start_flusher(220);
    guest.end_write(230, 59);
    guest.write(300, 59, 59);
    guest.run_timer(400);
    guest.switch(450, KWORKER);
    guest.begin_work(460);
    guest.queue_page(500, 0xb1, page, 0);
    guest.enter(501, 0xb1, page);
    guest.get(510, 0xa000);
    guest.leave(511);
    guest.serve(520, 0xa000, 0xb1, page);
    guest.end_work(560);
    guest.switch(570, TASK);
    guest.write(600, 118, 59);
    guest.begin_write(700, 4, 8192, 4096);
    guest.submit(710, 0xb2, 0xa400, direct);
    guest.serve(730, 0xa400, 0xb2, direct);
    guest.end_write(770, 4096);
    guest.mark(800, event::MARK_END);
    guest
}

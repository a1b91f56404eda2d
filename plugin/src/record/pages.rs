//! The bytes of files that a bio carries, found by walking its vectors.
//!
//! In: a plan, a bio's address, the vCPU. Out: runs of bytes that follow each other in a file and in the bio, in the
//! bio's order. Pages of no file (anonymous, slab, a hole) belong to no run. Sizes and positions are in bytes.

use crate::follow::follow;
use crate::qemu::Cpu;
use iotrace_profile::plan::{PageAccess, PagesPlan};

/// Most pages of a bio that are looked at: 256 vectors (`BIO_MAX_VECS`, include/linux/bio.h) of 16 pages each. What a
/// guest's broken bio can cost.
const PAGES: u64 = 4096;
/// Most vectors.
const VECTORS: u64 = 1024;

/// Bytes of a file in a bio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageRun {
    /// Device of the inode.
    pub dev: u64,
    /// Number of the inode.
    pub ino: u64,
    /// Position of the first byte in the file.
    pub position: u64,
    /// Bytes.
    pub length: u64,
    /// The pages are being written back.
    pub writeback: bool,
}

/// A page of a file.
#[derive(Debug, Clone, Copy)]
struct FilePage {
    /// Address of its head.
    head: u64,
    mapping: u64,
    /// Device and number of the inode.
    inode: (u64, u64),
    /// Position of the head's first byte in the file.
    position: u64,
    writeback: bool,
}

/// Gives the runs of a bio, in its order.
pub(super) fn each_run(cpu: &Cpu, plan: &PagesPlan, bio: u64, give: impl FnMut(PageRun)) {
    let read = |access| follow(access, bio, cpu);
    let (Some(vectors), Some(first), Some(size)) = (read(&plan.vectors), read(&plan.first), read(&plan.size))
    else {
        return;
    };
    if vectors == 0 {
        return;
    }
    let done = plan.done.as_ref().and_then(read).unwrap_or(0);
    let shift = cpu.arch().memory.page_shift;
    let mut walk = Walk { cpu, page: &plan.page, shift, left: PAGES, last: None, run: None, give };
    let (stride, page, offset, length) = &plan.vector;
    let (mut size, mut done) = (size, done);
    for at in first..first.saturating_add(VECTORS) {
        let vector = vectors.wrapping_add(at.wrapping_mul(*stride));
        let word = |access| follow(access, vector, cpu);
        let (Some(page), Some(offset), Some(length)) = (word(page), word(offset), word(length)) else {
            break;
        };
        let taken = length.saturating_sub(done).min(size);
        if taken == 0 || !walk.vector(page, offset + done, taken) {
            break;
        }
        (size, done) = (size - taken, 0);
        if size == 0 {
            break;
        }
    }
    walk.end();
}

/// What is known while vectors are walked.
struct Walk<'a, F> {
    cpu: &'a Cpu,
    page: &'a PageAccess,
    /// log2 of the size of a page.
    shift: u8,
    /// Pages that may still be looked at.
    left: u64,
    /// The last page's file.
    last: Option<FilePage>,
    run: Option<PageRun>,
    give: F,
}

impl<F: FnMut(PageRun)> Walk<'_, F> {
    /// Takes the bytes of a vector; false once there were too many pages.
    fn vector(&mut self, page: u64, offset: u64, length: u64) -> bool {
        let bytes = 1_u64 << self.shift;
        let (mut offset, mut length) = (offset, length);
        while length > 0 {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let number = offset >> self.shift;
            let within = offset & (bytes - 1);
            let taken = (bytes - within).min(length);
            let at = page.wrapping_add(number.wrapping_mul(self.page.size));
            let run = self.file_page(at).map(|file| PageRun {
                dev: file.inode.0,
                ino: file.inode.1,
                position: file.position + (at.wrapping_sub(file.head) / self.page.size) * bytes + within,
                length: taken,
                writeback: file.writeback,
            });
            self.add(run);
            (offset, length) = (offset + taken, length - taken);
        }
        true
    }

    fn add(&mut self, run: Option<PageRun>) {
        match (&mut self.run, run) {
            (Some(before), Some(run))
                if (before.dev, before.ino, before.writeback) == (run.dev, run.ino, run.writeback)
                    && before.position.wrapping_add(before.length) == run.position =>
            {
                before.length += run.length;
            }
            (_, run) => {
                self.end();
                self.run = run;
            }
        }
    }

    fn end(&mut self) {
        if let Some(run) = self.run.take() {
            (self.give)(run);
        }
    }

    /// The file of a page; none of one that belongs to no file.
    fn file_page(&mut self, page: u64) -> Option<FilePage> {
        let head = self.head(page);
        if let Some(last) = self.last.filter(|last| last.head == head) {
            return Some(last);
        }
        let read = |access, object| follow(access, object, self.cpu);
        let mapping = read(&self.page.mapping, head)?;
        // `PAGE_MAPPING_FLAGS`, include/linux/page-flags.h: the mapping of an anonymous page is something else.
        if mapping == 0 || mapping & 3 != 0 {
            return None;
        }
        let (ino, dev) = &self.page.inode;
        let inode = match self.last.filter(|last| last.mapping == mapping) {
            Some(last) => last.inode,
            None => (read(dev, mapping)?, read(ino, mapping)?),
        };
        let position = read(&self.page.index, head)?.checked_shl(self.shift.into())?;
        let writeback = read(&self.page.writeback, head)? != 0;
        let found = FilePage { head, mapping, inode, position, writeback };
        self.last = Some(found);
        Some(found).filter(|found| found.inode.1 != 0 && found.position >> 63 == 0)
    }

    /// The head of a page: itself, if it is no tail. A tail has the address of its head, or, from 7.1 on, a mask that
    /// makes it out of its own (`compound_head`, include/linux/page-flags.h), each with bit 0 set.
    fn head(&self, page: u64) -> u64 {
        let head = self.page.head.as_ref().and_then(|access| follow(access, page, self.cpu)).unwrap_or(0);
        match head & 1 {
            0 => page,
            // No `struct page` lies in the last 4 GiB of the address space.
            _ if head >> 32 == u64::from(u32::MAX) => page & head,
            _ => head & !1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake;
    use iotrace_profile::plan::ValueAccess;

    fn word(offset: i64, width: u8) -> ValueAccess {
        ValueAccess { offset, width, ..ValueAccess::default() }
    }

    /// A bio of vectors, index, done, size; vectors of page, length, offset; pages of flags, head, mapping, index.
    fn plan() -> PagesPlan {
        let inode = |offset| ValueAccess { steps: vec![0], ..word(offset, 8) };
        PagesPlan {
            argument: 0,
            vectors: word(0, 8),
            first: word(8, 4),
            done: Some(word(12, 4)),
            size: word(16, 4),
            vector: (16, word(0, 8), word(12, 4), word(8, 4)),
            page: PageAccess {
                size: 64,
                head: Some(word(8, 8)),
                mapping: word(24, 8),
                index: word(32, 8),
                writeback: ValueAccess { bits: Some((15, 1)), ..word(0, 8) },
                inode: (inode(8), inode(16)),
            },
        }
    }

    const BIO: u64 = 0xffff_8880_0a00_0000;
    const VECTORS_AT: u64 = BIO + 0x1000;
    const PAGES_AT: u64 = 0xffff_ea00_0a00_0000;
    const MAPPING: u64 = BIO + 0x3000;
    const INODE: u64 = BIO + 0x4000;

    fn words(values: &[u64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Maps a bio at some distance of others, with vectors of page number, offset and length, and pages of flags, head,
    /// mapping and index.
    fn runs(apart: u64, head: [u32; 3], vectors: &[(u64, u32, u32)], pages: &[[u64; 4]]) -> Vec<PageRun> {
        let cpu = fake::cpu(0);
        let [first, done, size] = head;
        let mut bio = words(&[VECTORS_AT + apart]);
        bio.extend([first, done, size, 0].iter().flat_map(|value| value.to_le_bytes()));
        fake::map(BIO + apart, &bio);
        let vector = |(page, offset, length): &(u64, u32, u32)| {
            let page = words(&[PAGES_AT + apart + page * 64]);
            [page, length.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec()].concat()
        };
        fake::map(VECTORS_AT + apart, &vectors.iter().flat_map(vector).collect::<Vec<_>>());
        let page =
            |[flags, head, mapping, index]: &[u64; 4]| words(&[*flags, *head, 0, *mapping, *index, 0, 0, 0]);
        fake::map(PAGES_AT + apart, &pages.iter().flat_map(page).collect::<Vec<_>>());
        fake::map(MAPPING + apart, &words(&[INODE + apart]));
        fake::map(INODE + apart, &words(&[0, 131, 0x80_0001]));
        let mut found = Vec::new();
        each_run(&cpu, &plan(), BIO + apart, |run| found.push(run));
        found
    }

    fn run(position: u64, length: u64, writeback: bool) -> PageRun {
        PageRun { dev: 0x80_0001, ino: 131, position, length, writeback }
    }

    #[test]
    fn bytes_that_follow_each_other_are_one_run_and_a_hole_divides_them() {
        let page = |index| [1 << 15, 0, MAPPING, index];
        let pages = [page(0), page(1), page(7), [0, 0, MAPPING, 8], [0, 0, MAPPING | 1, 9]];
        let vectors = [(0, 1024, 3072), (1, 0, 4096), (2, 0, 1024), (3, 512, 512), (4, 0, 4096)];
        let found = runs(0, [0, 0, 12_800], &vectors, &pages);
        assert_eq!(
            found,
            [run(1024, 7168, true), run(7 << 12, 1024, true), run((8 << 12) + 512, 512, false)]
        );
    }

    #[test]
    fn a_bio_that_is_a_part_of_another_one_has_its_own_part_only() {
        let apart = 0x10_0000;
        let page = |index| [0, 0, MAPPING + apart, index];
        let vectors = [(0, 0, 4096), (1, 0, 4096), (2, 0, 4096)];
        let found = runs(apart, [1, 512, 4096], &vectors, &[page(0), page(1), page(2)]);
        assert_eq!(found, [run(4096 + 512, 4096, false)]);
    }

    /// A vector over pages of a large folio and the single page behind it, then one that begins in a tail.
    #[test]
    fn tails_are_found_by_their_head() {
        let apart = 0x20_0000;
        let head = PAGES_AT + apart;
        let mapping = MAPPING + apart;
        let large =
            [[1 << 15, 1 << 6, mapping, 16], [0, head | 1, 0, 0], [0, head | 1, 0, 0], [0, head | 1, 0, 0]];
        let masked = large.map(|[flags, link, mapping, index]| {
            [flags, if link & 1 == 1 { !0xff | 1 } else { link }, mapping, index]
        });
        for (apart, tails) in [(apart, large), (apart, masked)] {
            let mut pages = tails.to_vec();
            pages.push([1 << 15, 0, mapping, 99]);
            let found = runs(apart, [0, 0, 5 * 4096 + 1024], &[(0, 0, 5 * 4096), (2, 1024, 1024)], &pages);
            let expected =
                [run(16 << 12, 4 << 12, true), run(99 << 12, 4096, true), run((18 << 12) + 1024, 1024, true)];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_broken_bio_costs_a_bounded_number_of_reads() {
        let apart = 0x40_0000;
        let page = [0, 0, MAPPING + apart, 0];
        assert_eq!(runs(apart, [0, 0, u32::MAX], &[(0, 0, u32::MAX)], &[page]), [run(0, 4096, false)]);
        assert_eq!(runs(apart, [0, 0, 4096], &[(0, 0, 0)], &[page]), []);
        let apart = 0x50_0000;
        fake::map(BIO + apart, &words(&[0, 0, 4096]));
        each_run(&fake::cpu(0), &plan(), BIO + apart, |run| panic!("{run:?}"));
    }
}

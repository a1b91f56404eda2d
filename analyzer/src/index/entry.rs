//! An entry of a table: from when to when an object was seen, and which objects belong to it.

use xxhash_rust::xxh3::xxh3_64;

/// Bytes of an entry.
pub const SIZE: usize = 48;

/// Kinds of objects, each with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexTable {
    /// I/Os; linked are the bios queued for them, and those that carry their bytes.
    Ios,
    /// Bios; linked are the I/Os that they were queued for or carry bytes of, then their requests.
    Bios,
    /// Requests; nothing is linked.
    Requests,
}

impl IndexTable {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 3] = [Self::Ios, Self::Bios, Self::Requests];
}

/// The object is known.
pub const PRESENT: u16 = 1;
/// It is an I/O between the marks of the workload.
pub const IN_WORKLOAD: u16 = 2;

/// It is an I/O that was seen to return.
pub const RETURNED: u16 = 4;

/// What a table has of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it began, in instructions.
    pub from: u64,
    /// When it was over, in instructions; when it was seen last if it was not.
    pub until: u64,
    /// Place of the first linked number.
    pub links: u64,
    /// Linked I/Os.
    pub ios: u32,
    /// Linked bios of an I/O, requests of a bio.
    pub others: u32,
    /// Number of an I/O's system call.
    pub syscall: u16,
    /// [`PRESENT`] and others.
    pub flags: u16,
    /// Checksum of the linked numbers: see [`link_sum`].
    pub link_sum: u32,
}

impl Entry {
    /// As bytes; with a checksum over them, the table and the object's number.
    #[must_use]
    pub fn bytes(&self, table: IndexTable, number: u64) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (at, value) in [(0, self.from), (8, self.until), (16, self.links)] {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes[24..28].copy_from_slice(&self.ios.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.others.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.syscall.to_le_bytes());
        bytes[34..36].copy_from_slice(&self.flags.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.link_sum.to_le_bytes());
        let sum = sum(&bytes, table, number);
        bytes[40..48].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// From bytes; none if the object is not known. An error if they were changed.
    pub fn parse(bytes: &[u8; SIZE], table: IndexTable, number: u64) -> Result<Option<Self>, Changed> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let u64_at = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b));
        let low = |at: usize, bytes: u32| u64_at(at) & ((1_u64 << (8 * bytes)) - 1);
        if u64_at(40) != sum(bytes, table, number) {
            return Err(Changed);
        }
        let entry = Self {
            from: u64_at(0),
            until: u64_at(8),
            links: u64_at(16),
            ios: low(24, 4) as u32,
            others: low(28, 4) as u32,
            syscall: low(32, 2) as u16,
            flags: low(34, 2) as u16,
            link_sum: low(36, 4) as u32,
        };
        Ok(Some(entry).filter(|entry| entry.flags & PRESENT != 0))
    }
}

/// The bytes of an entry are not those that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed;

/// Checksum of linked numbers, as the file has them.
pub fn link_sum(bytes: &[u8]) -> u32 {
    xxh3_64(bytes) as u32
}

fn sum(bytes: &[u8; SIZE], table: IndexTable, number: u64) -> u64 {
    let mut all = [0; 40 + 16];
    all[..40].copy_from_slice(&bytes[..40]);
    all[40..48].copy_from_slice(&number.to_le_bytes());
    all[48] = table as u8;
    xxh3_64(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_changes_are_found() {
        let entry = Entry {
            from: 5,
            until: u64::MAX,
            links: 7,
            ios: 1,
            others: 2,
            syscall: 3,
            flags: PRESENT,
            link_sum: 4,
        };
        let bytes = entry.bytes(IndexTable::Bios, 9);
        assert_eq!(Entry::parse(&bytes, IndexTable::Bios, 9), Ok(Some(entry)));
        assert_eq!(Entry::parse(&bytes, IndexTable::Ios, 9), Err(Changed));
        assert_eq!(Entry::parse(&bytes, IndexTable::Bios, 8), Err(Changed));
        for at in 0..SIZE {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Entry::parse(&changed, IndexTable::Bios, 9), Err(Changed), "byte {at}");
        }
        assert_eq!(Entry::parse(&[0; SIZE], IndexTable::Bios, 9), Ok(None));
    }
}

//! Names that the guest has in memory, as words of events carry them.
//!
//! In: words of 8 bytes each, little-endian, in the order of the bytes. Out: text up to the first zero byte.

use std::borrow::Cow;

/// The words of an event with the first 32 bytes of a file's name, without the object's name before them
/// (schemas/catalog/data/vfs.toml).
pub const NAME_WORDS: [&str; 4] = ["name0", "name1", "name2", "name3"];

/// The words of an event with the first 16 bytes of the name of a bio's disk (schemas/catalog/data/block.toml).
pub const DISK_WORDS: [&str; 2] = ["disk0", "disk1"];

/// Name of a block device as the kernel prints it (`disk_name` of block/partitions): of a partition, its number behind
/// the disk's name, with a `p` between them if that ends with a digit. What may be the beginning of a longer name of the
/// disk ends with `…`. None if the words carry no name.
#[must_use]
pub fn device_name(disk: [u64; 2], partition: u64) -> Option<String> {
    let mut name = name_of_words(disk);
    if name.is_empty() {
        return None;
    }
    let is_cut = disk.iter().all(|word| word.to_le_bytes().iter().all(|byte| *byte != 0));
    if partition != 0 && name.ends_with(|last: char| last.is_ascii_digit()) {
        name.push('p');
    }
    if is_cut {
        name.push('…');
    }
    if partition != 0 {
        name += &partition.to_string();
    }
    Some(name)
}

/// The name that words carry. What is not UTF-8 is replaced: a name is bytes to the guest, and a long one ends anywhere.
#[must_use]
pub fn name_of_words(words: impl IntoIterator<Item = u64>) -> String {
    let bytes = Vec::from_iter(words.into_iter().flat_map(u64::to_le_bytes));
    name_of_bytes(&bytes).into_owned()
}

/// The name in bytes.
pub(super) fn name_of_bytes(bytes: &[u8]) -> Cow<'_, str> {
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of 32 bytes that begin like this.
    fn words(name: &[u8]) -> [u64; 4] {
        let mut bytes = [0; 32];
        bytes[..name.len()].copy_from_slice(name);
        std::array::from_fn(|at| u64::from_le_bytes(std::array::from_fn(|i| bytes[at * 8 + i])))
    }

    #[test]
    fn a_name_ends_with_the_first_zero_or_the_last_word() {
        for name in ["", "a", "journal", "journal8", "journal-9", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(name_of_words(words(name.as_bytes())), name);
        }
        assert_eq!(name_of_words(words(b"data\0of the last name")), "data");
        assert_eq!(name_of_words(words(b"0123456789abcdef")[..1].iter().copied()), "01234567");
        assert_eq!(name_of_words([]), "");
    }

    #[test]
    fn a_partition_has_its_number_behind_the_name_of_its_disk() {
        let name = |disk: &[u8], partition| {
            let [first, second, ..] = words(disk);
            device_name([first, second], partition)
        };
        for (disk, partition, expected) in
            [("sda", 0, "sda"), ("sda", 1, "sda1"), ("dm-0", 0, "dm-0"), ("nvme0n1", 12, "nvme0n1p12")]
        {
            assert_eq!(name(disk.as_bytes(), partition).as_deref(), Some(expected));
        }
        assert_eq!(name(b"", 3), None);
        assert_eq!(name(b"fifteen-letters", 0).as_deref(), Some("fifteen-letters"));
        assert_eq!(name(b"md_sixteen-bytes", 0).as_deref(), Some("md_sixteen-bytes…"));
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(name_of_words(words(b"a\xffb")), "a\u{fffd}b");
        // 31 bytes and the first of two of one character.
        assert_eq!(
            name_of_words(words(b"0123456789abcdef0123456789abcde\xc3")),
            "0123456789abcdef0123456789abcde\u{fffd}"
        );
    }
}

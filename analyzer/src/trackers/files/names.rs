//! Files as the words of an event tell them.

use crate::model::{File, major_minor, name_of_words};
use crate::trackers::probes::RoleValues;
use iotrace_format::role::Role;

use super::pages::FileKey;

/// `FS_REQUIRES_DEV` or `FS_RENAME_DOES_D_MOVE`, include/linux/fs.h. The types of file systems in a network have the latter (NFS,
/// SMB, 9P, Ceph), and none of those in memory.
const HAS_STORAGE: u64 = 1 | 1 << 15;
/// `S_IFMT` and `S_IFBLK`, include/uapi/linux/stat.h.
const TYPE: u64 = 0o170_000;
const BLOCK_DEVICE: u64 = 0o060_000;

/// The roles that tell a file: its inode, that one's device, the parts of its name.
type FileRoles = (Role, Role, [Role; 4]);

const FILE: FileRoles =
    (Role::FileIno, Role::FileDev, [Role::FileName0, Role::FileName1, Role::FileName2, Role::FileName3]);
const DENTRY: FileRoles = (
    Role::DentryIno,
    Role::DentryDev,
    [Role::DentryName0, Role::DentryName1, Role::DentryName2, Role::DentryName3],
);
const VMA: FileRoles =
    (Role::VmaIno, Role::VmaDev, [Role::VmaName0, Role::VmaName1, Role::VmaName2, Role::VmaName3]);
const IOCB: FileRoles =
    (Role::IocbIno, Role::IocbDev, [Role::IocbName0, Role::IocbName1, Role::IocbName2, Role::IocbName3]);

/// The file that a task works on, by its `struct file` or its dentry; none if the event has neither.
pub fn file_of(words: &RoleValues<'_>) -> Option<File> {
    read(words, FILE).or_else(|| read(words, DENTRY))
}

/// The file of a mapping; none of anonymous memory.
pub fn mapped_file(words: &RoleValues<'_>) -> Option<File> {
    read(words, VMA).filter(|file| file.ino != 0)
}

/// The file of a kiocb.
pub fn iocb_file(words: &RoleValues<'_>) -> Option<File> {
    read(words, IOCB)
}

fn read(words: &RoleValues<'_>, (ino, dev, name): FileRoles) -> Option<File> {
    let ino = words.get(ino)?;
    let dev = words.get(dev).unwrap_or(0);
    let name = name_of_words(name.into_iter().filter_map(|part| words.get(part)));
    Some(File { ino, dev, name, on_disk: is_on_disk(words, dev) })
}

/// The inode whose pages an event is about; none if it says none.
pub fn key_of(words: &RoleValues<'_>) -> Option<FileKey> {
    const KEYS: [(Role, Role); 4] = [
        (Role::IocbDev, Role::IocbIno),
        (Role::MappingDev, Role::MappingIno),
        (Role::InodeDev, Role::InodeIno),
        (Role::FolioDev, Role::FolioIno),
    ];
    KEYS.into_iter().find_map(|(dev, ino)| Some((words.get(dev).unwrap_or(0), words.get(ino)?)))
}

/// Whether a file's bytes are on a disk, here or in a network.
///
/// Traces without the flags of the file system have the device: with a major number, it is a disk's.
fn is_on_disk(words: &RoleValues<'_>, dev: u64) -> bool {
    match (words.get(Role::FileSystemFlags), words.get(Role::FileMode)) {
        (None, None) => major_minor(dev).0 != 0,
        (flags, mode) => {
            flags.is_some_and(|flags| flags & HAS_STORAGE != 0)
                || mode.is_some_and(|mode| mode & TYPE == BLOCK_DEVICE)
        }
    }
}

//! Roles: what an argument of a function, or a field read through it, is to the analyzer.
//!
//! The names in a catalog entry are free; what the analyzer reads is found by role. An argument has the role that the
//! entry gives it (`request = "iod.rq"`), or else the one whose usual name it has (`rq`). A field read through an
//! argument has the role that the argument's role and the field make: `sector` of a `bio` is `bio.sector`.

use crate::encoding::encode_by_name;
use std::fmt;

macro_rules! roles {
    ($($(#[doc = $doc:literal])* $role:ident = $name:literal $(usually $usual:literal)?,)*) => {
        /// What a word of an event is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[doc = $doc])* $role,)* }

        impl Role {
            /// All roles, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$role,)*];

            /// Name, as in catalogs and traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$role => $name,)* }
            }

            /// What it is, a sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$role => concat!($($doc),*),)* }
            }

            /// The name that an argument of this role has where the catalog gives it no other.
            #[must_use]
            pub const fn usual(self) -> &'static str {
                match self { $(Self::$role => roles!(@usual $name $($usual)?),)* }
            }
        }
    };
    (@usual $name:literal) => { $name };
    (@usual $name:literal $usual:literal) => { $usual };
}

roles! {
    /// The function's return address.
    Caller = "caller",
    /// A `struct bio`.
    Bio = "bio",
    /// Device number of a bio.
    BioDev = "bio.dev",
    /// Major and first minor number of a bio's disk, in the lower and the upper half.
    BioDisk = "bio.disk_numbers",
    /// Bytes 0 to 7 of the name of a bio's disk.
    BioDisk0 = "bio.disk0",
    /// Bytes 8 to 15 of the name of a bio's disk.
    BioDisk1 = "bio.disk1",
    /// Which partition of its disk a bio's device is; 0 for the whole disk.
    BioPartition = "bio.partno",
    /// First sector of a bio.
    BioSector = "bio.sector",
    /// Bytes of a bio.
    BioSize = "bio.size",
    /// Operation and flags of a bio.
    BioOp = "bio.op",
    /// `bi_status`, or `bi_error`.
    BioStatus = "bio.status",
    /// Whether the bio's completion is a tracepoint's (`BIO_TRACE_COMPLETION`).
    BioTraced = "bio.traced",
    /// Whether the bio waits for others (`BIO_CHAIN`).
    BioChained = "bio.chained",
    /// How many ends the bio waits for.
    BioRemaining = "bio.remaining",
    /// Address of `bi_end_io`.
    BioEndIo = "bio.end_io",
    /// `bi_private`.
    BioPrivate = "bio.private",
    /// Address space of a bio's first page, in traces without [`crate::event::BIO_PAGES`].
    BioMapping = "bio.page_mapping",
    /// Index of a bio's first page.
    BioIndex = "bio.page_index",
    /// Offset in a bio's first page.
    BioOffset = "bio.page_offset",
    /// Inode of a bio's first page.
    BioPageIno = "bio.page_ino",
    /// Device of the inode of a bio's first page.
    BioPageDev = "bio.page_dev",
    /// The bio that waits for another one.
    Parent = "parent",
    /// Sectors that are split off a bio.
    Sectors = "sectors",
    /// A `struct request`.
    Request = "request" usually "rq",
    /// Device number of a request.
    RequestDev = "request.dev",
    /// Major and first minor number of a request's disk, in the lower and the upper half.
    RequestDisk = "request.disk_numbers",
    /// First sector of a request.
    RequestSector = "request.sector",
    /// Bytes of a request.
    RequestSize = "request.size",
    /// Operation and flags of a request.
    RequestOp = "request.op",
    /// First bio of a request.
    RequestBio = "request.bio",
    /// Last bio of a request.
    RequestBiotail = "request.biotail",
    /// The request that becomes part of another one.
    NextRequest = "next_request" usually "next",
    /// First sector of that request.
    NextSector = "next_request.sector",
    /// Bytes of that request.
    NextSize = "next_request.size",
    /// Operation of that request.
    NextOp = "next_request.op",
    /// A command of the driver (`struct scsi_cmnd`, or the driver's own).
    Command = "command" usually "cmd",
    /// Result of a command.
    CommandResult = "command.result",
    /// Bytes 0 to 7 of a command's sense data.
    CommandSense0 = "command.sense0",
    /// Bytes 8 to 15 of a command's sense data.
    CommandSense8 = "command.sense8",
    /// A part of a command that its controller carries out by itself (`struct urb`).
    Transfer = "transfer" usually "urb",
    /// `errno` or `blk_status_t`.
    Error = "error",
    /// Bytes that are done.
    Bytes = "bytes",
    /// Steps of a flush sequence that are done.
    FlushSteps = "flush_steps" usually "seq",
    /// Vector of an interrupt.
    Vector = "vector",
    /// An `struct irq_desc`.
    IrqDesc = "irq_desc" usually "desc",
    /// Number of an interrupt.
    IrqNumber = "irq_desc.irq",
    /// Address of an interrupt's first handler.
    IrqHandler = "irq_desc.handler",
    /// Address of the part of that handler that a thread runs; 0 if there is none.
    IrqThreadHandler = "irq_desc.thread_handler",
    /// An `struct irqaction`.
    IrqAction = "irq_action" usually "action",
    /// A `struct file`.
    File = "file",
    /// Inode of a file.
    FileIno = "file.ino",
    /// Device of a file's inode.
    FileDev = "file.dev",
    /// Bytes 0 to 7 of a file's name.
    FileName0 = "file.name0",
    /// Bytes 8 to 15 of a file's name.
    FileName1 = "file.name1",
    /// Bytes 16 to 23 of a file's name.
    FileName2 = "file.name2",
    /// Bytes 24 to 31 of a file's name.
    FileName3 = "file.name3",
    /// `f_flags` of a file.
    FileFlags = "file.flags",
    /// Flags of the type of a file's file system (`fs_flags`): bit 0, it needs a block device.
    FileSystemFlags = "file.fs_flags",
    /// Type of the inode that has a file's pages, with its permissions (`i_mode`).
    FileMode = "file.mode",
    /// Whether a file is read (0) or written (1).
    Direction = "direction" usually "read_write",
    /// A `struct dentry`.
    Dentry = "dentry",
    /// Inode of a dentry.
    DentryIno = "dentry.ino",
    /// Device of a dentry's file system.
    DentryDev = "dentry.dev",
    /// Bytes 0 to 7 of a dentry's name.
    DentryName0 = "dentry.name0",
    /// Bytes 8 to 15 of a dentry's name.
    DentryName1 = "dentry.name1",
    /// Bytes 16 to 23 of a dentry's name.
    DentryName2 = "dentry.name2",
    /// Bytes 24 to 31 of a dentry's name.
    DentryName3 = "dentry.name3",
    /// Number of an open file.
    Fd = "fd",
    /// Bytes asked for.
    Count = "count",
    /// Position in a file; of functions that take a pointer to it, the pointer.
    Position = "position" usually "pos",
    /// Position in a file behind a pointer.
    PositionValue = "position.value",
    /// Bytes of a part of a file.
    Length = "length" usually "len",
    /// Bytes that were copied into the page cache.
    Copied = "copied",
    /// First byte of a range of a file.
    FirstByte = "first_byte" usually "lstart",
    /// Last byte of a range of a file, that byte included.
    LastByte = "last_byte" usually "lend",
    /// Saved registers of a system call.
    Registers = "registers" usually "regs",
    /// The system call's argument that is a file's number.
    RegistersFd = "registers.fd",
    /// The system call's argument that says how many bytes.
    RegistersCount = "registers.count",
    /// The system call's argument that is a position.
    RegistersPosition = "registers.pos",
    /// A `struct kiocb`.
    Iocb = "iocb",
    /// Position of a kiocb.
    IocbPosition = "iocb.pos",
    /// Inode of a kiocb.
    IocbIno = "iocb.ino",
    /// Device of a kiocb's inode.
    IocbDev = "iocb.dev",
    /// Bytes 0 to 7 of the name of a kiocb's file.
    IocbName0 = "iocb.name0",
    /// Bytes 8 to 15 of the name of a kiocb's file.
    IocbName1 = "iocb.name1",
    /// Bytes 16 to 23 of the name of a kiocb's file.
    IocbName2 = "iocb.name2",
    /// Bytes 24 to 31 of the name of a kiocb's file.
    IocbName3 = "iocb.name3",
    /// A `struct iov_iter`.
    Iter = "iter",
    /// Bytes of an iov_iter.
    IterCount = "iter.count",
    /// A `struct address_space`.
    Mapping = "mapping",
    /// Inode of an address space.
    MappingIno = "mapping.ino",
    /// Device of an address space's inode.
    MappingDev = "mapping.dev",
    /// An address that a task accesses.
    Address = "address",
    /// A `struct vm_area_struct`.
    Vma = "vma",
    /// First address of a mapping.
    VmaStart = "vma.start",
    /// Page of the file that a mapping begins at.
    VmaPageOffset = "vma.page_offset",
    /// Inode of a mapped file.
    VmaIno = "vma.ino",
    /// Device of a mapped file's inode.
    VmaDev = "vma.dev",
    /// Bytes 0 to 7 of a mapped file's name.
    VmaName0 = "vma.name0",
    /// Bytes 8 to 15 of a mapped file's name.
    VmaName1 = "vma.name1",
    /// Bytes 16 to 23 of a mapped file's name.
    VmaName2 = "vma.name2",
    /// Bytes 24 to 31 of a mapped file's name.
    VmaName3 = "vma.name3",
    /// A `struct vm_fault`.
    Fault = "fault" usually "vmf",
    /// Page of the file that faulted.
    FaultPage = "fault.page_index",
    /// Inode of the file that faulted.
    FaultIno = "fault.ino",
    /// Device of the inode of the file that faulted.
    FaultDev = "fault.dev",
    /// Size of the file that faulted, in bytes.
    FaultSize = "fault.size",
    /// Flags of a fault: bit 0, it is a write.
    FaultFlags = "fault.flags",
    /// The address that faulted.
    FaultAddress = "fault.address",
    /// Flags of the mapping that faulted: bit 3, it is shared.
    FaultMapping = "fault.vma_flags",
    /// A number of pages.
    PageCount = "page_count",
    /// An entry of a submission ring (`struct io_kiocb`), or an asynchronous request (`struct aio_kiocb`).
    Entry = "entry" usually "req",
    /// What an entry or an asynchronous request asks for: its number.
    Opcode = "opcode",
    /// The number that it was submitted with, for the task to recognize it by.
    UserData = "user_data",
    /// Its result: bytes, or an error below zero.
    Result = "result" usually "res",
    /// A `struct folio`.
    Folio = "folio",
    /// Inode of the file that a folio belongs to.
    FolioIno = "folio.ino",
    /// Device of the inode of the file that a folio belongs to.
    FolioDev = "folio.dev",
    /// A `struct inode`, or one of a file system that has it inside.
    Inode = "inode",
    /// Number of an inode.
    InodeIno = "inode.ino",
    /// Device of an inode.
    InodeDev = "inode.dev",
    /// A `struct task_struct`.
    Task = "task",
    /// The task that ran before a switch.
    PreviousTask = "previous_task" usually "prev",
    /// The task that runs after a switch.
    NextTask = "next_task",
    /// A `struct work_struct`.
    Work = "work",
    /// Address of a work item's function.
    WorkFunction = "work.func",
    /// A `struct timer_list`.
    Timer = "timer",
    /// Address of a timer's function.
    TimerFunction = "timer.func",
    /// Number of a softirq.
    SoftirqNumber = "softirq_number",
    /// A `struct pci_dev`.
    Pci = "pci",
    /// Vendor of a PCI device.
    PciVendor = "pci.vendor",
    /// Number of a PCI device.
    PciDevice = "pci.device",
    /// First address behind the first base address register.
    Bar0 = "pci.bar0",
    /// Last address behind the first base address register.
    Bar0End = "pci.bar0_end",
    /// First address behind the second base address register.
    Bar1 = "pci.bar1",
    /// Last address behind the second base address register.
    Bar1End = "pci.bar1_end",
    /// First address behind the third base address register.
    Bar2 = "pci.bar2",
    /// Last address behind the third base address register.
    Bar2End = "pci.bar2_end",
    /// First address behind the fourth base address register.
    Bar3 = "pci.bar3",
    /// Last address behind the fourth base address register.
    Bar3End = "pci.bar3_end",
    /// First address behind the fifth base address register.
    Bar4 = "pci.bar4",
    /// Last address behind the fifth base address register.
    Bar4End = "pci.bar4_end",
    /// First address behind the sixth base address register.
    Bar5 = "pci.bar5",
    /// Last address behind the sixth base address register.
    Bar5End = "pci.bar5_end",
    /// 8 bytes of a text that answers a question (`scripts/ask`).
    AnswerText = "answer.text",
    /// A number that answers a question.
    AnswerUnsigned = "answer.unsigned",
    /// A number that answers a question, in two's complement.
    AnswerSigned = "answer.signed",
    /// A number that answers a question, in hexadecimal.
    AnswerHexadecimal = "answer.hexadecimal",
}

impl Role {
    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }

    /// Whether an argument may have it: the others are fields read through an argument.
    #[must_use]
    pub fn is_argument(self) -> bool {
        !self.name().contains('.')
    }

    /// The role of an argument without one of its own, by its name.
    #[must_use]
    pub fn usually(argument: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.is_argument() && role.usual() == argument)
    }

    /// The role of a word, an argument or a field read through one, by the roles that arguments have.
    #[must_use]
    pub fn of_word(word: &str, of_argument: impl Fn(&str) -> Option<Self>) -> Option<Self> {
        match word.split_once('.') {
            Some((argument, field)) => of_argument(argument)?.field(field),
            None => of_argument(word),
        }
    }

    /// The role of a field read through an argument of this role.
    #[must_use]
    pub fn field(self, field: &str) -> Option<Self> {
        let is_field = |role: &Self| {
            let rest = role.name().strip_prefix(self.name()).and_then(|rest| rest.strip_prefix('.'));
            rest == Some(field)
        };
        Self::ALL.iter().copied().find(is_field)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

encode_by_name!(Role, |name: &str| { Role::named(name).ok_or_else(|| format!("unknown role {name:?}")) });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_usual_names_are_distinct() {
        for (at, role) in Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, at);
            assert_eq!(Role::named(role.name()), Some(*role));
            let same = |other: &&Role| other.is_argument() && other.usual() == role.usual();
            assert!(!role.is_argument() || Role::ALL.iter().filter(same).count() == 1, "{role}");
        }
    }

    #[test]
    fn a_field_has_the_role_that_its_argument_makes_it() {
        assert_eq!(Role::usually("rq").and_then(|role| role.field("sector")), Some(Role::RequestSector));
        assert_eq!(Role::Position.field("value"), Some(Role::PositionValue));
        assert_eq!((Role::Bio.field("nothing"), Role::usually("bio.dev")), (None, None));
    }
}

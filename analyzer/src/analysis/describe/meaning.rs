//! What the words of an event are, and how views print them.
//!
//! In: a probe's definition, a value. Out: text. A word is found by its role, by its name as the catalog gives them, and
//! by the type of what a function returns.

use super::flags;
use crate::model::{DISK_WORDS, NAME_WORDS, OpField, errno, errno_name, major_minor};
use iotrace_format::definition::{At, Probe, ReturnType};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

/// What a word is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Major and minor number of a device.
    Device,
    /// Operation and flags of a bio or a request.
    Operation(OpField),
    /// Where a call is.
    Caller,
    /// Address of a function.
    Function,
    /// Address of a task.
    Task,
    /// Number of a softirq.
    Softirq,
    /// Any other address.
    Address,
    /// 8 bytes of a name, of which the first part stands for the whole.
    Name,
    /// A number that may be negative, of 64 bits.
    Signed,
    /// The same of 32 bits.
    Tag,
    /// Number of an open file, or of a folder.
    Descriptor,
    /// A sector; the highest number is none.
    Sector,
    /// Permissions.
    Permissions,
    /// Bits of a device's register.
    Bits,
    /// Flags with names.
    Flags(&'static [(u64, &'static str)]),
    /// Flags whose names are another kernel's or nobody's.
    Opaque,
    /// The result of a SCSI command.
    ScsiResult,
    /// `blk_status_t`, or an error.
    BlockStatus,
    /// `blk_status_t` that a function returned.
    ReturnedStatus,
    /// What a function returned.
    Returned(ReturnType),
    /// 8 bytes of a text that answers a question, of which the first part stands for the whole.
    AnsweredText,
    /// A number that answers a question, whatever it means.
    Answered(NumberBase),
    /// A number, or a pointer.
    Number,
}

/// How a number that answers a question is written: as gdb did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberBase {
    /// Decimal.
    Unsigned,
    /// Decimal, of two's complement.
    Signed,
    /// Hexadecimal.
    Hexadecimal,
}

/// How a value stands in a word's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldForm {
    /// As what it means.
    Decoded,
    /// As an address, which means something to who compares it with others.
    Address,
    /// As recorded: what it means is not known. Not printed as text.
    Raw,
}

impl Meaning {
    /// That of a word of a built-in event, or of a probe, by its place.
    pub fn of(name: &str, at: usize, probe: Option<&Probe>) -> Self {
        let role = probe.and_then(|probe| probe.roles.get(at).copied().flatten());
        let stage = probe.and_then(|probe| probe.stage.as_ref());
        match (probe.filter(|probe| probe.at == At::Exit).map(|probe| probe.returns), role) {
            (_, Some(Role::AnswerText)) => Self::AnsweredText,
            (_, Some(Role::AnswerUnsigned)) => Self::Answered(NumberBase::Unsigned),
            (_, Some(Role::AnswerSigned)) => Self::Answered(NumberBase::Signed),
            (_, Some(Role::AnswerHexadecimal)) => Self::Answered(NumberBase::Hexadecimal),
            (Some(Some(ReturnType::U8)), _) if name == "status" => Self::ReturnedStatus,
            (Some(Some(returns)), _) => Self::Returned(returns),
            (_, Some(Role::Task | Role::PreviousTask | Role::NextTask)) => Self::Task,
            (_, Some(Role::Error | Role::BioStatus)) => Self::BlockStatus,
            (_, Some(Role::CommandResult)) => Self::ScsiResult,
            (_, Some(Role::FileSystemFlags | Role::FileMode)) => Self::Opaque,
            _ => match stage {
                Some(Stage::Syscall(call)) => {
                    Self::of_argument(name, call).unwrap_or_else(|| Self::named(name))
                }
                _ => Self::named(name),
            },
        }
    }

    /// By a word's name, as the catalog gives them.
    fn named(name: &str) -> Self {
        let (object, field) = name.rsplit_once('.').unwrap_or(("", name));
        match field {
            "dev" | "page_dev" => Self::Device,
            "op" => Self::Operation(OpField::of_word(name)),
            "caller" => Self::Caller,
            "end_io" | "handler" | "pc" | "from" | "to" | "func" => Self::Function,
            "bias" | "drift" | "ret" => Self::Signed,
            "nr" if object.is_empty() => Self::Softirq,
            "tag" => Self::Tag,
            "fd" | "in_fd" | "out_fd" | "fd_in" | "fd_out" | "dfd" => Self::Descriptor,
            "sector" => Self::Sector,
            "flags" if object == "file" || object == "filp" => Self::Flags(flags::OPEN),
            "flags" | "flag" | "wake_flags" => Self::Opaque,
            "state" if object.is_empty() => Self::Flags(flags::TASK_STATE),
            "address" => Self::Bits,
            "value" if name == field => Self::Bits,
            "buf" | "filename" | "vec" | "iocbpp" | "events" | "timeout" | "ctx_id" => Self::Address,
            bar if bar.starts_with("bar") && object == "pci" => Self::Address,
            part if NAME_WORDS.contains(&part) && !object.is_empty() => Self::Name,
            part if DISK_WORDS.contains(&part) && !object.is_empty() => Self::Name,
            _ => Self::Number,
        }
    }

    /// An argument of a system call that is another one's under the same name.
    fn of_argument(name: &str, call: &str) -> Option<Self> {
        let field = name.rsplit('.').next().unwrap_or(name);
        let is_open = call.starts_with("open");
        Some(match (field, call) {
            ("flags", _) if is_open => Self::Flags(flags::OPEN),
            ("mode", _) if is_open => Self::Permissions,
            ("mode", "fallocate") => Self::Flags(flags::FALLOCATE),
            ("flags", "sync_file_range") => Self::Flags(flags::SYNC_FILE_RANGE),
            ("flags", "msync") => Self::Flags(flags::MSYNC),
            ("flags", "io_uring_enter") => Self::Flags(flags::IO_URING_ENTER),
            ("offset", "sendfile" | "sendfile64") | ("start", "msync") => Self::Address,
            ("off_in" | "off_out", _) => Self::Address,
            ("nr", _) => Self::Number,
            _ => return None,
        })
    }

    /// How such a value stands in text.
    pub fn form(self, value: u64) -> FieldForm {
        match self {
            Self::Opaque if value != 0 => FieldForm::Raw,
            Self::Address | Self::Task | Self::Function => FieldForm::Address,
            Self::Number if is_address(value) => FieldForm::Address,
            Self::Returned(ReturnType::Pointer) if errno(value.cast_signed()).is_none() => FieldForm::Address,
            Self::Returned(ReturnType::U64) if is_address(value) => FieldForm::Address,
            _ => FieldForm::Decoded,
        }
    }

    /// The text of a value for which nothing else has to be known.
    pub fn text(self, value: u64) -> String {
        match self {
            Self::Device => {
                let (major, minor) = major_minor(value);
                format!("{major}:{minor}")
            }
            Self::Signed | Self::Answered(NumberBase::Signed) => value.cast_signed().to_string(),
            Self::Answered(NumberBase::Unsigned) => value.to_string(),
            Self::Tag => (value as u32 as i32).to_string(),
            // AT_FDCWD of include/uapi/linux/fcntl.h.
            Self::Descriptor if value as u32 as i32 == -100 => "AT_FDCWD".to_owned(),
            Self::Descriptor => (value as u32 as i32).to_string(),
            Self::Sector if value == u64::MAX => "none".to_owned(),
            Self::Permissions => format!("{value:#o}"),
            Self::Flags(names) => flags::names(value, names),
            Self::Opaque if value == 0 => "0".to_owned(),
            Self::ScsiResult => flags::scsi_result(value & u64::from(u32::MAX)),
            Self::BlockStatus => flags::block_status(value),
            Self::ReturnedStatus => flags::block_status(value & 0xff),
            Self::Returned(returns) => returned(Some(returns), returns.value(value).unwrap_or(0)),
            Self::Number | Self::Sector | Self::Softirq if !is_address(value) => value.to_string(),
            _ => format!("{value:#x}"),
        }
    }
}

/// Pointers are of the kernel's half of the address space.
fn is_address(value: u64) -> bool {
    value >> 47 != 0
}

/// What a function returned, as wide as its type is; of one whose type is not known, all of the register.
pub fn returned(returns: Option<ReturnType>, value: u64) -> String {
    match returns {
        None => value.cast_signed().to_string(),
        Some(ReturnType::Void) => String::new(),
        Some(ReturnType::Bool) => (value != 0).to_string(),
        Some(ReturnType::Pointer) if errno(value.cast_signed()).is_none() => format!("{value:#x}"),
        Some(ReturnType::U64) if is_address(value) => format!("{value:#x}"),
        Some(ReturnType::U8 | ReturnType::U16 | ReturnType::U32 | ReturnType::U64) => value.to_string(),
        Some(_) => signed(value.cast_signed()),
    }
}

/// A number, with the error's name that it may be. Functions that have no other answer than no return -1.
pub fn signed(value: i64) -> String {
    let name = errno(value).filter(|number| *number != 1).and_then(errno_name);
    name.map_or_else(|| value.to_string(), |name| format!("{value}({name})"))
}

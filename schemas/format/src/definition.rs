//! What makes a trace readable without anything else: who wrote it, of which kernel, and what each
//! kind of event means. Definitions stand in the file before the first event that needs them.
//!
//! Each is stored as a tag, a length and the body in the encoding of `codec` (see FORMAT.md); a reader
//! skips tags it does not know and ignores what a newer writer added at the end of a body.

mod codec;
mod hand_off;
mod number;
mod probe;
mod return_type;

use crate::event::KindId;
use crate::layer::Layer;
use crate::role::Role;
use crate::stage::Stage;
use bincode::{Decode, Encode};
use iotrace_arch::{FIRST, Memory};
use std::borrow::Cow;

pub use hand_off::{HandOffPoint, HandOffTarget, OriginStep, OriginTask, PendingHandOff};
pub use number::{CallCost, ObjectKind, ObjectNumber, PartBegin, RunningTask};
pub use probe::by_name;
pub use return_type::ReturnType;
use serde::Deserialize;

pub use codec::{DefinitionError, Skipped, decode_all, encode};

/// One piece of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// Who wrote the trace, of what. The first definition of every trace.
    Trace(TraceInfo),
    /// A built-in kind of event.
    Kind(Kind),
    /// A probe: a kind of event that stands for one place in the kernel.
    Probe(Probe),
    /// A kernel module seen in the guest.
    Module(Module),
    /// The name of an address that an event mentions (a handler, a callback).
    Symbol(AddressName),
    /// A device whose registers the catalog knows.
    Device(Device),
    /// Something that could not be done, or was lost.
    Note(Note),
    /// The value of an enumerator in this kernel.
    Constant(Constant),
    /// A place that a probed function is called from.
    Site(CallSite),
    /// Of a part of a trace: numbers that objects have in the whole, by their events, which follow.
    Numbers(Vec<ObjectNumber>),
    /// Of a part of a trace: a hand-off that was under way where it begins.
    HandOff(PendingHandOff),
    /// Of a part of a trace: where it begins.
    Begin(PartBegin),
}

/// Who wrote the trace, of which kernel, with which settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
pub struct TraceInfo {
    /// Program and version that wrote it.
    pub writer: String,
    /// QEMU target: the name of an [`iotrace_arch::Arch`].
    pub target: String,
    /// TCG plugin API version of the QEMU that ran the guest.
    pub plugin_api: u32,
    /// vCPUs of the guest.
    pub vcpus: u32,
    /// log2 of virtual nanoseconds per instruction (`-icount shift=`); none without icount.
    pub icount_shift: Option<u8>,
    /// Text of the kernel's `linux_banner`.
    pub banner: String,
    /// The kernel's GNU build-id, empty when it has none.
    pub build_id: Vec<u8>,
    /// KASLR: what was added to the addresses of the kernel image, in bytes.
    pub slide: u64,
    /// `key: value` pairs that the user gave (`note=`): workload, controller, QEMU's version.
    pub notes: Vec<(String, String)>,
    /// How the guest's kernel lays out its memory.
    pub layout: Layout,
}

/// How the guest's kernel lays out its memory, as far as a reader of its events has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Layout {
    /// log2 of the page size.
    pub page_shift: u8,
    /// Size and alignment of a task's stack, in bytes; a power of two.
    pub stack_size: u64,
    /// First address of the kernel's part of the address space.
    pub kernel_start: u64,
}

impl Layout {
    /// That of an architecture.
    #[must_use]
    pub const fn of(memory: &Memory) -> Self {
        let Memory { page_shift, stack_size, kernel_start, .. } = *memory;
        Self { page_shift, stack_size, kernel_start }
    }

    /// Whether it can be one: what is computed with it neither overflows nor divides by zero.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        self.page_shift < 32 && self.stack_size.is_power_of_two()
    }
}

/// That of the first architecture: the one of traces that do not say it.
impl Default for Layout {
    fn default() -> Self {
        Self::of(&FIRST.memory)
    }
}

/// A built-in kind of event, see [`crate::event::BUILTINS`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Kind {
    /// Number.
    pub id: KindId,
    /// Name.
    pub name: String,
    /// Names of the words.
    pub words: Vec<String>,
}

/// Where in a function a probe sits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum At {
    /// The function's first instruction.
    #[default]
    Entry,
    /// Where it returns: at its return instruction, or behind the call of it if it ends in a tail call.
    Exit,
    /// The first instruction of an instance that the compiler inlined into another function.
    Inlined,
    /// Where a question was answered (`scripts/ask`): its events were inserted into the trace afterwards. They are no
    /// calls and tell nothing of an I/O.
    Inserted,
}

/// A probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Number, from [`crate::event::FIRST_PROBE`] on.
    pub id: KindId,
    /// Entry or exit.
    pub at: At,
    /// The catalog's name of the function (its first name).
    pub function: String,
    /// The symbol in this kernel, with any compiler suffix.
    pub symbol: String,
    /// Module it belongs to; none for the kernel image.
    pub module: Option<String>,
    /// Address in the guest.
    pub address: u64,
    /// Layer of the I/O path, such as `block`.
    pub layer: Layer,
    /// What the function tells about an I/O; none if nothing in particular.
    pub stage: Option<Stage>,
    /// What views call it by, if it tells no stage; empty for nothing.
    pub label: String,
    /// Source file as in the kernel tree; empty if not known.
    pub file: String,
    /// Source line; 0 if not known.
    pub line: u32,
    /// Names of the words: an argument (`bio`), or a field read through it (`bio.sector`). A read through
    /// a pointer that leads nowhere gives 0.
    pub words: Vec<String>,
    /// The roles of the words, in their order; words that follow the last one have none.
    pub roles: Vec<Option<Role>>,
    /// Of an exit: which value of its first word means success; none if it has no such meaning.
    pub success: Option<Success>,
    /// Of an exit: what the function returns; none if it is not known.
    pub returns: Option<ReturnType>,
    /// Of an inlined instance: the functions it is in, the innermost first, the one with the symbol last. Of one that was
    /// inserted: its callers, the nearest first, if they were asked for.
    pub inside: Vec<String>,
}

impl Probe {
    /// Whether its events are landmarks, see [`crate::event::is_landmark`]: where a device's registers are is told
    /// when it is enabled.
    #[must_use]
    pub fn is_landmark(&self) -> bool {
        self.stage.as_ref().is_some_and(Stage::is_context_record)
    }

    /// Where among the words the one with this role is.
    #[must_use]
    pub fn word(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|of| *of == Some(role))
    }

    /// Its stage's name, or its label; empty if it has neither.
    #[must_use]
    pub fn stage_name(&self) -> Cow<'_, str> {
        Stage::name_or(self.stage.as_ref(), &self.label)
    }

    /// This kernel's own name of the function. Of an inlined instance, the symbol is that of the function around it: it
    /// goes by the catalog's name.
    #[must_use]
    pub fn own_name(&self) -> &str {
        // What the compiler put behind a name (`.isra.0`) makes it no other one.
        let own = self.symbol.split('.').next().unwrap_or_default();
        if matches!(self.at, At::Inlined | At::Inserted) || own.is_empty() { &self.function } else { own }
    }

    /// What views call the function: by this kernel's own name, with the catalog's, which may be a later one, in brackets.
    #[must_use]
    pub fn title(&self) -> Cow<'_, str> {
        let own = self.own_name();
        if own == self.function { own.into() } else { format!("{own} [{}]", self.function).into() }
    }
}

/// Which returned value means success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Success {
    /// This one.
    Equals(u64),
    /// Any but zero.
    NonZero,
}

impl Success {
    /// Whether `value` means success.
    #[must_use]
    pub fn holds(self, value: u64) -> bool {
        match self {
            Self::Equals(expected) => value == expected,
            Self::NonZero => value != 0,
        }
    }
}

/// A kernel module seen in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Module {
    /// Number in this trace, from 0.
    pub id: u32,
    /// Name, with underscores.
    pub name: String,
    /// First and last address of its functions.
    pub text: (u64, u64),
    /// How many probes were placed in it.
    pub probes: u32,
}

/// The name of an address.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AddressName {
    /// Address in the guest.
    pub address: u64,
    /// Symbol.
    pub name: String,
}

/// A place that a probed function is called from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CallSite {
    /// Address behind the call: what it pushed as return address.
    pub address: u64,
    /// Offset of that address in the function that has the symbol, in bytes.
    pub offset: u64,
    /// The functions that the call is in: the innermost inlined one first, the one with the symbol last.
    /// Without debug info only that one, without a line.
    pub frames: Vec<SiteFrame>,
}

/// A function that a call is in, and the line in it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SiteFrame {
    /// Function.
    pub function: String,
    /// Source file as in the kernel tree; empty if not known.
    pub file: String,
    /// Line of the call, or of the call that was inlined; 0 if not known.
    pub line: u32,
}

/// The value of an enumerator in this kernel, such as `REQ_OP_WRITE` or `__REQ_FUA`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Constant {
    /// Enumerator.
    pub name: String,
    /// Value.
    pub value: i64,
}

/// A device that the catalog knows, as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name, such as `lsi53c895a`.
    pub name: String,
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// Registers.
    pub registers: Vec<DeviceRegister>,
}

/// A register of a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRegister {
    /// Name in the device's manual.
    pub name: String,
    /// Base address register the offset counts from.
    pub bar: u8,
    /// Offset in bytes.
    pub offset: u64,
    /// Width in bytes.
    pub width: u8,
    /// Writing it passes a command to the device.
    #[serde(default)]
    pub doorbell: bool,
    /// Of a doorbell: the bits of the value that must be set for it to be one; 0 for any value.
    #[serde(default)]
    pub mask: u64,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Severity {
    /// Nothing is wrong; the reader should know.
    Info,
    /// Something is missing from the trace.
    Warning,
    /// The trace does not hold what was asked for.
    Error,
}

/// Something that could not be done, or was lost.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Note {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about, such as `wrong-kernel`.
    pub topic: String,
    /// One sentence.
    pub text: String,
}

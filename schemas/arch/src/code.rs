//! Questions about instructions, about the state that they leave a vCPU in, and about symbols of a kernel's code.
//!
//! In: bytes of code and their address; a vCPU's registers and memory; names. Out: what the instruction does.

use crate::Reg;
use std::fmt::Debug;

/// What an instruction does, as far as it is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionKind {
    /// It may be a mark that the guest sets ([`Code::mark`]).
    Mark,
    /// The processor waits for an interrupt.
    Halt,
    /// It returns from an interrupt or an exception.
    ExceptionReturn,
    /// It returns from a function.
    Return,
    /// It jumps to this address, whatever the flags are.
    Jump(u64),
    /// Anything else, and what cannot be decoded.
    Other,
}

/// What a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// This address.
    Address(u64),
    /// Where a register or memory points to.
    Pointer,
}

/// What a relocation puts in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relocation {
    /// Nothing.
    None,
    /// The symbol's value and the addend: so many bytes.
    Absolute(usize),
    /// The same, less the address of the place: so many bytes.
    Relative(usize),
}

/// What led to an exception's handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// The instruction at the address could not be fetched.
    Fetch,
    /// The instruction at this address accessed memory.
    Access(u64),
}

/// A vCPU in a callback.
pub trait VcpuState {
    /// A register's value; 0 if it cannot be read.
    fn register(&self, register: Reg) -> u64;
    /// A number of `width` bytes (1 to 8) at a virtual address; none if it is not mapped.
    fn number(&self, address: u64, width: u8) -> Option<u64>;
    /// The stack pointer; 0 if it cannot be read.
    fn stack(&self) -> u64;
}

/// The instructions of an architecture.
pub trait Code: Sync + Debug {
    /// What the instruction at `address` does.
    fn instruction(&self, code: &[u8], address: u64) -> InstructionKind;

    /// Whether an instruction of so many bytes may be a mark.
    fn may_be_mark(&self, length: usize) -> bool;

    /// Whether an instruction may access memory that is a device's: not the stack, a variable of the image or per-CPU
    /// data.
    fn may_access_device(&self, code: &[u8]) -> bool;

    /// Whether an instruction may be one in the middle of a block that QEMU translates: a jump, a call, a return and a
    /// repeated string operation are always the last.
    fn may_be_left_early(&self, code: &[u8]) -> bool;

    /// Bytes of the longest call.
    fn longest_call(&self) -> usize;

    /// What the bytes before `after` call, if they end in a call. What is no call may look like one.
    fn call_before(&self, before: &[u8], after: u64) -> Option<Callee>;

    /// The function that a call of an address between functions leads to, which goes through the padding before it; the
    /// address itself if there is none.
    fn behind_padding(&self, target: u64) -> u64;

    /// The addresses behind the calls in code that begins at `start`, and what is called. What is no call and looks
    /// like one is the address of no instruction, or one that nothing returns to.
    fn calls(&self, code: &[u8], start: u64) -> Vec<(u64, Callee)>;

    /// Where the jumps that reach other functions are in code that begins at `start`, and where they go. What is no
    /// jump may look like one.
    fn jumps(&self, code: &[u8], start: u64) -> Vec<(u64, u64)>;

    /// Whether code that begins at `start` may be left other than by a return: by a jump to an address that is not
    /// `inside`, or by one through a pointer. What is no jump and looks like one makes the answer yes where it could be
    /// no, never the other way.
    fn may_jump_out(&self, code: &[u8], start: u64, inside: &dyn Fn(u64) -> bool) -> bool;

    /// The code and the argument of a mark, if the instruction that is about to be executed sets one.
    fn mark(&self, state: &dyn VcpuState) -> Option<[u64; 2]>;

    /// What led to the handler of memory faults, at its first instruction.
    fn fault(&self, state: &dyn VcpuState) -> Exception;

    /// The address that an exception return, about to be executed, goes to; 0 if it cannot be read.
    fn returns_to(&self, state: &dyn VcpuState) -> u64;

    /// What a relocation of this ELF type puts in its place; none if it is not known.
    fn relocation(&self, kind: u32) -> Option<Relocation>;

    /// The offset behind the call in `code` whose target a relocation of this ELF type at `at` fills in.
    fn relocated_call(&self, code: &[u8], at: u64, kind: u32) -> Option<u64>;

    /// Whether a jump to a symbol stands for a return.
    fn is_return_thunk(&self, name: &str) -> bool;

    /// Whether a call of a symbol stands for one through a pointer.
    fn is_call_thunk(&self, name: &str) -> bool;

    /// Of a call of a symbol of which it knows that it stands for one through a register: the address behind the call
    /// that the kernel may put in its place, by that behind the call itself.
    fn patched_call(&self, name: &str, after: u64) -> Option<u64>;

    /// Whether a function's symbol is entered by a call and left by a return, so that its return address lies where one
    /// is looked for.
    fn is_called(&self, name: &str) -> bool;
}

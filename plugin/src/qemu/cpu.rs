//! Registers and memory of the vCPU that is in a callback.

use super::{registers, vcpus};
use qemu_plugin_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_uint};

/// A register that is read: its place among [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// Return value.
    pub const RAX: Self = Self(0);
    /// Used by CPUID.
    pub const RCX: Self = Self(2);
    /// Used by CPUID.
    pub const RBX: Self = Self(3);
    /// First argument of a function.
    pub const RDI: Self = Self(5);
    /// Stack pointer: [`Cpu::stack`].
    pub(super) const RSP: Self = Self(7);
    /// Base of the per-CPU data while in the kernel.
    pub const GS_BASE: Self = Self(16);

    /// By its DWARF number, 0 to 15 (System V ABI for x86-64, figure 3.36).
    pub fn dwarf(number: u8) -> Option<Self> {
        (number < Self::GS_BASE.0).then_some(Self(number))
    }

    /// By its place among [`NAMES`], which has one there.
    pub(super) fn numbered(place: usize) -> Self {
        Self(place as u8)
    }

    /// Its place among [`NAMES`].
    pub(super) fn number(self) -> usize {
        self.0.into()
    }
}

/// How many registers there are.
pub(super) const COUNT: usize = 17;

/// gdb's names of the registers, the general ones in the order of their DWARF numbers.
pub(super) const NAMES: [&str; COUNT] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "gs_base",
];

unsafe extern "C" {
    fn g_byte_array_new() -> *mut sys::GByteArray;
    fn g_array_get_element_size(array: *mut sys::GArray) -> c_uint;
    fn g_array_free(array: *mut sys::GArray, free: c_uint) -> *mut std::ffi::c_char;
}

/// QEMU's handles of one vCPU's registers, and a buffer of glib's for what is read.
struct Handles {
    registers: [*mut sys::qemu_plugin_register; COUNT],
    buffer: *mut sys::GByteArray,
}

thread_local! {
    /// Of the vCPUs that run on this thread: a handle means the same register on each of them.
    static HANDLES: RefCell<Option<Handles>> = const { RefCell::new(None) };
}

/// The vCPU that is in a callback on this thread.
#[derive(Debug)]
pub struct Cpu {
    index: u32,
    /// The stack pointer, once it was read.
    stack: Cell<Option<u64>>,
    /// Not to be sent to another thread.
    here: std::marker::PhantomData<*const ()>,
}

impl Cpu {
    pub(super) fn new(index: c_uint) -> Self {
        Self { index, stack: Cell::new(None), here: std::marker::PhantomData }
    }

    /// The vCPU whose code is being translated, where only memory can be read; none on a thread that
    /// runs no vCPU.
    pub(super) fn current() -> Option<Self> {
        HANDLES.with_borrow(Option::is_some).then(|| Self::new(vcpus::running(0)))
    }

    /// Its number; [`vcpus::UNKNOWN`] if QEMU does not tell.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Whose score translated code changes while this one executes it.
    pub(super) fn score(&self) -> u32 {
        vcpus::score_of(self.index)
    }

    /// Gets the handles; to be called once on the vCPU's thread. False if a register is not there.
    pub fn prepare(&self) -> bool {
        let handles = Handles::find();
        let complete = handles.registers.iter().all(|r| !r.is_null());
        HANDLES.set(Some(handles));
        complete
    }

    /// A register's value; 0 if it cannot be read.
    pub fn register(&self, register: Register) -> u64 {
        registers::read(register).unwrap_or_else(|| {
            let value = self.ask(register);
            registers::learn(register, value, |other| self.ask(other));
            value
        })
    }

    /// A register's value, from the API.
    fn ask(&self, register: Register) -> u64 {
        HANDLES.with_borrow(|handles| {
            let Some(handles) = handles else { return 0 };
            let handle = handles.registers[register.number()];
            if handle.is_null() {
                return 0;
            }
            // SAFETY: handle and buffer come from QEMU and glib and belong to this thread; the callback
            // was registered with QEMU_PLUGIN_CB_R_REGS. QEMU appends to the buffer, so it is emptied
            // first. What the function returns differs between versions; the buffer's length does not.
            unsafe {
                (*handles.buffer).len = 0;
                sys::qemu_plugin_read_register(handle, handles.buffer);
                number(handles.buffer)
            }
        })
    }

    /// The stack pointer; 0 if it cannot be read. Most callbacks need it more than once.
    pub fn stack(&self) -> u64 {
        self.stack.get().unwrap_or_else(|| {
            let stack = self.register(Register::RSP);
            self.stack.set(Some(stack));
            stack
        })
    }

    /// Reads guest memory at a virtual address into `out`. False if it is not mapped; `out` is then as it
    /// was.
    pub fn read(&self, address: u64, out: &mut [u8]) -> bool {
        if out.is_empty() {
            return true;
        }
        HANDLES.with_borrow(|handles| {
            let Some(handles) = handles else { return false };
            // SAFETY: the buffer is glib's and belongs to this thread; QEMU resizes it to the length
            // asked for and fills it when it returns true.
            unsafe {
                let buffer = handles.buffer;
                let read = sys::qemu_plugin_read_memory_vaddr(address, buffer, out.len());
                if !read || ((*buffer).len as usize) < out.len() {
                    return false;
                }
                std::ptr::copy_nonoverlapping((*buffer).data, out.as_mut_ptr(), out.len());
            }
            true
        })
    }

    /// The bytes of a function; none if they cannot be read, or are too many for one.
    pub fn code(&self, range: &std::ops::Range<u64>) -> Option<Vec<u8>> {
        const LONGEST: u64 = 1 << 20;
        let length = range.end.checked_sub(range.start).filter(|length| *length <= LONGEST)?;
        let mut bytes = vec![0; length as usize];
        self.read(range.start, &mut bytes).then_some(bytes)
    }

    /// A number of `width` bytes (1 to 8) at a virtual address; none if it is not mapped.
    pub fn number(&self, address: u64, width: u8) -> Option<u64> {
        let mut bytes = [0; 8];
        let part = bytes.get_mut(..usize::from(width))?;
        self.read(address, part).then(|| u64::from_le_bytes(bytes))
    }
}

impl Handles {
    fn find() -> Self {
        let mut handles = Self {
            registers: [std::ptr::null_mut(); COUNT],
            // SAFETY: glib is part of every QEMU.
            buffer: unsafe { g_byte_array_new() },
        };
        // SAFETY: called in the vCPU's context, as the API wants; the array has `len` descriptors whose
        // names are NUL-terminated and live as long as QEMU. Later versions have more at the end of a
        // descriptor than the bindings know, so glib is asked for their distance. The array itself is ours
        // to free.
        unsafe {
            let array = sys::qemu_plugin_get_registers();
            if array.is_null() {
                return handles;
            }
            let distance = g_array_get_element_size(array) as usize;
            for i in 0..(*array).len as usize {
                let at = (*array).data.add(i * distance);
                let descriptor = &*at.cast::<sys::qemu_plugin_reg_descriptor>();
                let name = CStr::from_ptr(descriptor.name).to_bytes();
                if let Some(at) = NAMES.iter().position(|n| n.as_bytes() == name) {
                    handles.registers[at] = descriptor.handle;
                }
            }
            g_array_free(array, 1);
        }
        handles
    }
}

/// # Safety
/// `buffer` is a valid byte array.
unsafe fn number(buffer: *const sys::GByteArray) -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the array has `len` bytes at `data`; at most eight of them are copied.
    unsafe {
        let length = ((*buffer).len as usize).min(8);
        std::ptr::copy_nonoverlapping((*buffer).data, bytes.as_mut_ptr(), length);
    }
    u64::from_le_bytes(bytes)
}

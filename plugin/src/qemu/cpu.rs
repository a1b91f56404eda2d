//! Registers and memory of the vCPU that is in a callback.

use super::{memory, registers, vcpus};
use iotrace_arch::{Arch, FIRST, Reg, VcpuState};
use qemu_plugin_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_uint};
use std::sync::OnceLock;

static ARCH: OnceLock<&'static Arch> = OnceLock::new();

/// The guest's architecture; until it is set, the first one.
pub fn arch() -> &'static Arch {
    ARCH.get().copied().unwrap_or(FIRST)
}

/// Sets the guest's architecture, once.
pub fn set_arch(arch: &'static Arch) {
    _ = ARCH.set(arch);
}

unsafe extern "C" {
    fn g_byte_array_new() -> *mut sys::GByteArray;
    fn g_array_get_element_size(array: *mut sys::GArray) -> c_uint;
    fn g_array_free(array: *mut sys::GArray, free: c_uint) -> *mut std::ffi::c_char;
}

/// QEMU's handles of one vCPU's registers, and a buffer of glib's for what is read.
struct Handles {
    /// In the order of the architecture's names.
    registers: Vec<*mut sys::qemu_plugin_register>,
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
    arch: &'static Arch,
    /// The stack pointer, once it was read.
    stack: Cell<Option<u64>>,
    /// Not to be sent to another thread.
    here: std::marker::PhantomData<*const ()>,
}

impl Cpu {
    pub(super) fn new(index: c_uint) -> Self {
        Self { index, arch: arch(), stack: Cell::new(None), here: std::marker::PhantomData }
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

    /// Its architecture.
    pub fn arch(&self) -> &'static Arch {
        self.arch
    }

    /// Whose score translated code changes while this one executes it.
    pub(super) fn score(&self) -> u32 {
        vcpus::score_of(self.index)
    }

    /// Gets the handles; to be called once on the vCPU's thread. False if a register is not there.
    pub fn prepare(&self) -> bool {
        let handles = Handles::find(self.arch.registers.names);
        let complete = handles.registers.iter().all(|r| !r.is_null());
        HANDLES.set(Some(handles));
        complete
    }

    /// A register's value; 0 if it cannot be read.
    pub fn register(&self, register: Reg) -> u64 {
        registers::read(register, self.arch).unwrap_or_else(|| {
            let Some(value) = self.ask(register) else { return 0 };
            registers::learn(register, value, self.arch, |other| self.ask(other).unwrap_or(0));
            value
        })
    }

    /// A register's value, from the API; none if it cannot be read.
    fn ask(&self, register: Reg) -> Option<u64> {
        HANDLES.with_borrow(|handles| {
            let handles = handles.as_ref()?;
            let handle = handles.registers.get(usize::from(register.number())).copied();
            let handle = handle.filter(|handle| !handle.is_null())?;
            // SAFETY: handle and buffer come from QEMU and glib and belong to this thread; the callback
            // was registered with QEMU_PLUGIN_CB_R_REGS. QEMU appends to the buffer, so it is emptied
            // first. What the function returns differs between versions; the buffer's length does not.
            unsafe {
                (*handles.buffer).len = 0;
                sys::qemu_plugin_read_register(handle, handles.buffer);
                ((*handles.buffer).len != 0).then(|| number(handles.buffer))
            }
        })
    }

    /// Compares what QEMU's own objects say with what the API says; where they differ, the API alone is used from now
    /// on.
    pub fn verify(&self) {
        registers::verify(self.arch, |register| self.ask(register));
    }

    /// The stack pointer; 0 if it cannot be read. Most callbacks need it more than once.
    pub fn stack(&self) -> u64 {
        self.stack.get().unwrap_or_else(|| {
            let stack = self.register(self.arch.registers.stack);
            self.stack.set(Some(stack));
            stack
        })
    }

    /// Reads guest memory at a virtual address into `out`. False if no memory is mapped there; `out` is then as it
    /// was.
    pub fn read(&self, address: u64, out: &mut [u8]) -> bool {
        if out.is_empty() {
            return true;
        }
        memory::read(address, out).unwrap_or_else(|| {
            let read = self.ask_for(address, out);
            memory::learn(address, out, read);
            read
        })
    }

    /// The same, from the API, whatever is there.
    fn ask_for(&self, address: u64, out: &mut [u8]) -> bool {
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

impl VcpuState for Cpu {
    fn register(&self, register: Reg) -> u64 {
        self.register(register)
    }

    fn number(&self, address: u64, width: u8) -> Option<u64> {
        self.number(address, width)
    }

    fn stack(&self) -> u64 {
        self.stack()
    }
}

impl Handles {
    fn find(names: &[&str]) -> Self {
        let mut handles = Self {
            registers: vec![std::ptr::null_mut(); names.len()],
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
                if let Some(at) = names.iter().position(|n| n.as_bytes() == name) {
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

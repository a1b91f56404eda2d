//! A QEMU for unit tests: the functions of the plugin API and of glib that the plugin calls.
//!
//! In: registers and memory of a guest that a test makes up, on the test's own thread. Out: a vCPU in a callback.

use super::cpu::{COUNT, Cpu, NAMES, Register};
use qemu_plugin_sys as sys;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_uint};

#[derive(Default)]
struct Guest {
    registers: [u64; COUNT],
    memory: BTreeMap<u64, Vec<u8>>,
}

thread_local! {
    static GUEST: RefCell<Guest> = RefCell::default();
}

/// A vCPU in a callback.
pub fn cpu(index: u32) -> Cpu {
    let cpu = Cpu::new(index);
    assert!(cpu.prepare(), "all registers are there");
    cpu
}

/// Sets a register.
pub fn set(register: Register, value: u64) {
    GUEST.with_borrow_mut(|guest| guest.registers[register.number()] = value);
}

/// Maps memory with these bytes in it.
pub fn map(address: u64, bytes: &[u8]) {
    GUEST.with_borrow_mut(|guest| guest.memory.insert(address, bytes.to_owned()));
}

/// Sets the length of an array of glib's.
///
/// # Safety
/// `array` is valid, and its data are null or of [`libc::malloc`].
unsafe fn resize(array: *mut sys::GByteArray, length: usize) -> &'static mut [u8] {
    // SAFETY: the caller's promise; the slice lives until the next call for this array.
    unsafe {
        (*array).data = libc::realloc((*array).data.cast(), length.max(1)).cast();
        (*array).len = length as c_uint;
        std::slice::from_raw_parts_mut((*array).data, length)
    }
}

#[unsafe(no_mangle)]
extern "C" fn g_byte_array_new() -> *mut sys::GByteArray {
    Box::into_raw(Box::default())
}

#[unsafe(no_mangle)]
extern "C" fn g_array_get_element_size(_array: *mut sys::GArray) -> c_uint {
    size_of::<sys::qemu_plugin_reg_descriptor>() as c_uint
}

#[unsafe(no_mangle)]
extern "C" fn g_array_free(_array: *mut sys::GArray, _free: c_uint) -> *mut c_char {
    std::ptr::null_mut()
}

/// A handle is a register's place, and one.
#[unsafe(no_mangle)]
extern "C" fn qemu_plugin_get_registers() -> *mut sys::GArray {
    let describe = |(place, name): (usize, &&str)| sys::qemu_plugin_reg_descriptor {
        handle: std::ptr::without_provenance_mut(place + 1),
        name: CString::new(*name).expect("a name without NUL").into_raw(),
        feature: c"fake".as_ptr(),
    };
    let descriptors: Vec<_> = NAMES.iter().enumerate().map(describe).collect();
    let len = descriptors.len() as c_uint;
    Box::into_raw(Box::new(sys::GArray { data: descriptors.leak().as_mut_ptr().cast(), len }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_read_register(
    handle: *mut sys::qemu_plugin_register,
    buffer: *mut sys::GByteArray,
) -> c_int {
    let value = GUEST.with_borrow(|guest| guest.registers[handle.addr() - 1]);
    // SAFETY: the plugin's own buffer.
    unsafe { resize(buffer, 8) }.copy_from_slice(&value.to_le_bytes());
    8
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_read_memory_vaddr(
    address: u64,
    buffer: *mut sys::GByteArray,
    length: usize,
) -> bool {
    GUEST.with_borrow(|guest| {
        let part = guest.memory.range(..=address).next_back().and_then(|(start, bytes)| {
            let at = usize::try_from(address - start).ok()?;
            bytes.get(at..at.checked_add(length)?)
        });
        let Some(part) = part else { return false };
        // SAFETY: the plugin's own buffer.
        unsafe { resize(buffer, length) }.copy_from_slice(part);
        true
    })
}

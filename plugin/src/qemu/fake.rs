//! A QEMU for unit tests: the functions of the plugin API and of glib that the plugin calls.
//!
//! In: registers and memory of a guest that a test makes up, on the test's own thread. Out: a vCPU in a callback.

use super::cpu::{Cpu, arch};
use super::{Instruction, vcpus};
use iotrace_arch::Reg;
use qemu_plugin_sys as sys;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

#[derive(Default)]
struct Guest {
    /// By number; those that are not there are 0.
    registers: BTreeMap<usize, u64>,
    memory: BTreeMap<u64, Vec<u8>>,
    /// Pages of `memory` that are registers of devices.
    devices: BTreeSet<u64>,
    attached: Vec<Attached>,
}

/// What was attached to an instruction's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// An inline operation.
    Inline,
    /// A callback with data.
    Call(u64),
}

/// What this QEMU's own objects say otherwise than its plugin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The registers found in a vCPU's object do not change any more.
    Registers,
    /// Memory that is mapped is other memory.
    Mapped,
    /// Memory that is read is other memory.
    Memory,
    /// No page is mapped.
    NothingMapped,
    /// All that is mapped are devices.
    OnlyDevices,
}

/// Words of a vCPU's object; its registers begin at word 10, the base of the per-CPU data is word 40.
const OBJECT: usize = 5000;

thread_local! {
    /// A vCPU's object that has its registers; none if objects are nowhere.
    static REGISTERS: Cell<Option<&'static [AtomicU64]>> = const { Cell::new(None) };
    /// What is exported beside what all QEMUs export, if anything is, and what of it is wrong.
    static EXPOSED: Cell<Option<Option<Lie>>> = const { Cell::new(None) };
    static GUEST: RefCell<Guest> = RefCell::default();
    static CURRENT: &'static AtomicPtr<c_void> = Box::leak(Box::default());
    static HIDDEN: Cell<bool> = const { Cell::new(false) };
}

/// Of all threads.
static VCPUS: AtomicU32 = AtomicU32::new(0);

/// A vCPU in a callback.
pub fn cpu(index: u32) -> Cpu {
    let cpu = Cpu::new(index);
    assert!(cpu.prepare(), "all registers are there");
    cpu
}

/// The same, in a later callback on this thread.
pub fn callback(index: u32) -> Cpu {
    Cpu::new(index)
}

/// Starts as many vCPUs, which share this thread.
pub fn share_thread(vcpus: u32) {
    (0..vcpus).for_each(start);
}

/// Starts a vCPU on this thread.
pub fn start(vcpu: u32) {
    VCPUS.fetch_max(vcpu + 1, Ordering::Relaxed);
    vcpus::start(vcpu);
}

/// A vCPU is in execution on this thread.
pub fn execute(vcpu: u32) {
    CURRENT.with(|current| current.store(object(vcpu), Ordering::Relaxed));
}

/// This thread's QEMU exports nothing beside the plugin API.
pub fn hide_symbols() {
    HIDDEN.set(true);
}

/// From now on this thread's QEMU exports what the plugin reads without its API, some of it wrong if it lies: registers
/// that are set from now on, memory that is mapped from now on.
pub fn expose(lie: Option<Lie>) {
    let before = EXPOSED.replace(Some(lie));
    if before.is_none() {
        REGISTERS.set(Some(Vec::from_iter((0..OBJECT).map(|_| AtomicU64::new(0))).leak()));
    }
}

fn lies(lie: Lie) -> bool {
    EXPOSED.get() == Some(Some(lie))
}

/// What QEMU exports beside the plugin API.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    if HIDDEN.get() {
        return None;
    }
    match name.to_bytes() {
        b"current_cpu" => Some(CURRENT.with(|current| std::ptr::from_ref(*current).cast_mut().cast())),
        b"qemu_get_cpu" => Some(get_cpu as *mut c_void),
        _ if EXPOSED.get().is_none() => None,
        b"cpu_get_phys_page_debug" => Some(get_page as *mut c_void),
        b"cpu_physical_memory_is_io" => Some(is_io as *mut c_void),
        b"cpu_physical_memory_rw" => Some(read_physical as *mut c_void),
        b"cpu_physical_memory_map" => Some(map_physical as *mut c_void),
        b"cpu_physical_memory_unmap" => Some(unmap_physical as *mut c_void),
        _ => None,
    }
}

extern "C" fn get_cpu(vcpu: c_int) -> *mut c_void {
    object(vcpu.cast_unsigned())
}

/// An address at which nothing is, or the object that has the registers.
fn object(vcpu: u32) -> *mut c_void {
    match REGISTERS.get() {
        Some(words) => words.as_ptr().cast_mut().cast(),
        None => std::ptr::without_provenance_mut(vcpu as usize + 1),
    }
}

/// Physical addresses are virtual ones.
extern "C" fn get_page(_cpu: *mut c_void, address: u64) -> u64 {
    let is_there = part(address, 1).is_some() && !lies(Lie::NothingMapped);
    if is_there { address } else { u64::MAX }
}

extern "C" fn is_io(address: u64) -> bool {
    lies(Lie::OnlyDevices) || GUEST.with_borrow(|guest| guest.devices.contains(&(address & !0xfff)))
}

extern "C" fn read_physical(address: u64, to: *mut u8, length: u64, write: bool) {
    let mut bytes = part(address, length as usize).expect("the page is mapped");
    assert!(!write && !is_io(address), "memory is read");
    bytes[0] ^= u8::from(lies(Lie::Memory));
    // SAFETY: the plugin's own bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
}

/// A copy of what is there now.
extern "C" fn map_physical(address: u64, length: &mut u64, _write: bool) -> *mut c_void {
    let Some(mut bytes) = part(address, *length as usize) else { return std::ptr::null_mut() };
    if lies(Lie::Mapped) {
        bytes[0] ^= 1;
    }
    let words = bytes.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word));
    Vec::from_iter(words).leak().as_mut_ptr().cast()
}

extern "C" fn unmap_physical(_memory: *mut c_void, _length: u64, _write: bool, _accessed: u64) {}

/// The guest's memory at an address, if it is mapped.
fn part(address: u64, length: usize) -> Option<Vec<u8>> {
    GUEST.with_borrow(|guest| {
        let (start, bytes) = guest.memory.range(..=address).next_back()?;
        let at = usize::try_from(address - start).ok()?;
        bytes.get(at..at.checked_add(length)?).map(<[u8]>::to_vec)
    })
}

/// An instruction being translated.
pub fn instruction() -> Instruction {
    // SAFETY: of its handle nothing but the address is used here.
    unsafe { Instruction::new(std::ptr::without_provenance_mut(8)) }
}

/// What was attached on this thread since this was last asked.
pub fn take_attached() -> Vec<Attached> {
    GUEST.with_borrow_mut(|guest| std::mem::take(&mut guest.attached))
}

fn attach(attached: Attached) {
    GUEST.with_borrow_mut(|guest| guest.attached.push(attached));
}

#[unsafe(no_mangle)]
extern "C" fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
    _instruction: *mut sys::qemu_plugin_insn,
    _operation: sys::qemu_plugin_op,
    _on: sys::qemu_plugin_u64,
    _value: u64,
) {
    attach(Attached::Inline);
}

#[unsafe(no_mangle)]
extern "C" fn qemu_plugin_register_vcpu_insn_exec_cb(
    _instruction: *mut sys::qemu_plugin_insn,
    _function: sys::qemu_plugin_vcpu_udata_cb_t,
    _flags: sys::qemu_plugin_cb_flags,
    data: *mut c_void,
) {
    attach(Attached::Call(data.addr() as u64));
}

/// Sets a register.
pub fn set(register: Reg, value: u64) {
    GUEST.with_borrow_mut(|guest| guest.registers.insert(register.number().into(), value));
    let Some(words) = REGISTERS.get().filter(|_| !lies(Lie::Registers)) else { return };
    let place = arch().registers.in_qemu.get(usize::from(register.number()));
    words[place.map_or(40, |at| 10 + usize::from(*at))].store(value, Ordering::Relaxed);
}

/// Maps memory with these bytes in it.
pub fn map(address: u64, bytes: &[u8]) {
    GUEST.with_borrow_mut(|guest| guest.memory.insert(address, bytes.to_owned()));
}

/// The page at an address, which is mapped, has registers of a device.
pub fn map_device(address: u64) {
    GUEST.with_borrow_mut(|guest| guest.devices.insert(address & !0xfff));
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
    let descriptors: Vec<_> = arch().registers.names.iter().enumerate().map(describe).collect();
    let len = descriptors.len() as c_uint;
    Box::into_raw(Box::new(sys::GArray { data: descriptors.leak().as_mut_ptr().cast(), len }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_read_register(
    handle: *mut sys::qemu_plugin_register,
    buffer: *mut sys::GByteArray,
) -> c_int {
    let value = GUEST.with_borrow(|guest| guest.registers.get(&(handle.addr() - 1)).copied().unwrap_or(0));
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
    let Some(part) = part(address, length) else { return false };
    // SAFETY: the plugin's own buffer.
    unsafe { resize(buffer, length) }.copy_from_slice(&part);
    true
}

/// Scores of 64 vCPUs.
#[unsafe(no_mangle)]
extern "C" fn qemu_plugin_scoreboard_new(element_size: usize) -> *mut sys::qemu_plugin_scoreboard {
    Box::into_raw(Box::new((element_size, vec![0_u64; element_size * 8]))).cast()
}

/// As QEMU does, it ends the process for a vCPU that is not counted.
unsafe fn score(part: sys::qemu_plugin_u64, vcpu: c_uint) -> *mut u64 {
    if vcpu >= VCPUS.load(Ordering::Relaxed) {
        eprintln!("qemu_plugin_scoreboard_find: assertion failed: (vcpu_index < qemu_plugin_num_vcpus())");
        std::process::abort();
    }
    // SAFETY: a scoreboard of [`qemu_plugin_scoreboard_new`], which lives for ever.
    let (size, scores) = unsafe { &mut *part.score.cast::<(usize, Vec<u64>)>() };
    &raw mut scores[(vcpu as usize * *size + part.offset) / 8]
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_u64_get(part: sys::qemu_plugin_u64, vcpu: c_uint) -> u64 {
    // SAFETY: the score is there.
    unsafe { *score(part, vcpu) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_u64_set(part: sys::qemu_plugin_u64, vcpu: c_uint, value: u64) {
    // SAFETY: the score is there.
    unsafe { *score(part, vcpu) = value }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_u64_add(part: sys::qemu_plugin_u64, vcpu: c_uint, value: u64) {
    // SAFETY: the score is there.
    unsafe { *score(part, vcpu) += value }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_u64_sum(part: sys::qemu_plugin_u64) -> u64 {
    // SAFETY: the scores are there.
    (0..VCPUS.load(Ordering::Relaxed)).map(|vcpu| unsafe { *score(part, vcpu) }).sum()
}

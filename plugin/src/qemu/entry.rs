//! What QEMU calls.
//!
//! Every callback goes through `guard`: a panic in our code is caught, told once, and ends the tracing;
//! the guest runs on.

use super::abi::{self, Callbacks4, Callbacks7};
use super::{Cpu, TranslationBlock, memory, report, vcpus};
use crate::site::ProbeSite;
use qemu_plugin_sys as sys;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What QEMU says of the guest when it loads the plugin.
#[derive(Debug, Clone)]
pub struct GuestInfo {
    /// Target: the name of an architecture.
    pub target: String,
    /// Version of the plugin API in use.
    pub api: u32,
    /// Whole system, not a single program.
    pub system: bool,
    /// vCPUs at the start.
    pub vcpus: usize,
    /// vCPUs at most.
    pub max_vcpus: usize,
}

/// An access to memory.
#[derive(Debug, Clone, Copy)]
pub struct MemoryAccess {
    /// It is a write.
    pub write: bool,
    /// Physical address, if it went to a device; none for memory.
    pub device: Option<u64>,
    /// Width in bytes.
    pub width: u8,
    /// The value, cut to 64 bits.
    pub value: u64,
}

/// What reacts to the guest. All methods are called on the thread of the vCPU they name, except `exit`.
pub trait Instrument: Sync + Send {
    /// A vCPU is there. `told_apart`: it is known when it executes, and when another one of its thread does.
    fn vcpu_started(&self, cpu: &Cpu, told_apart: bool);
    /// So many instructions are about to be executed that translated code does not count.
    fn counted(&self, instructions: u64);
    /// The block of this number begins, of those in which translated code does not say so.
    fn block_begun(&self, number: u64);
    /// A block is being translated.
    fn translate(&self, block: &TranslationBlock, cpu: Option<&Cpu>);
    /// An instruction with a site is about to be executed.
    fn executed(&self, cpu: &Cpu, site: &'static ProbeSite);
    /// An instruction with a site accessed memory.
    fn accessed(&self, cpu: &Cpu, access: MemoryAccess, site: &'static ProbeSite);
    /// QEMU has thrown all translated blocks away.
    fn flushed(&self);
    /// An interrupt was delivered (API 7).
    fn interrupted(&self, cpu: &Cpu, from: u64, to: u64);
    /// QEMU ends. `broken`: the tracing stopped in a panic.
    fn exit(&self, broken: bool);
}

static INSTRUMENT: OnceLock<Box<dyn Instrument>> = OnceLock::new();
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Runs our code for a callback; a panic ends the tracing, not QEMU.
fn guard(code: impl FnOnce(&dyn Instrument)) {
    if BROKEN.load(Ordering::Relaxed) {
        return;
    }
    let Some(instrument) = INSTRUMENT.get() else { return };
    if catch_unwind(AssertUnwindSafe(|| code(&**instrument))).is_err() {
        BROKEN.store(true, Ordering::Relaxed);
        report("internal error (see above): tracing stops, the guest continues; please report it");
    }
}

/// QEMU's entry point.
///
/// # Safety
/// Called by QEMU once, with a valid `info` and `argc` strings in `argv`.
#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_install(
    id: sys::qemu_plugin_id_t,
    info: *const sys::qemu_info_t,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: both pointers are valid for the time of the call, says the API.
    let (guest, args) = unsafe { (guest(&*info), strings(argc, argv)) };
    let made = catch_unwind(|| crate::tracer::install(guest, &args));
    match made {
        Ok(Ok(instrument)) => start(id, instrument),
        Ok(Err(error)) => {
            report(&error.to_string());
            -1
        }
        Err(_) => -1,
    }
}

fn start(id: sys::qemu_plugin_id_t, instrument: Box<dyn Instrument>) -> c_int {
    if INSTRUMENT.set(instrument).is_err() {
        report("plugin loaded twice: specify -plugin libiotrace.so once");
        return -1;
    }
    if abi::version() < abi::USERDATA {
        let (vcpu_init, translate, flush, exit) = (vcpu_init4, translate4, flush4, exit4);
        abi::register4(id, &Callbacks4 { vcpu_init, translate, flush, exit });
        return 0;
    }
    let callbacks = Callbacks7 {
        vcpu_init: vcpu_init7,
        translate: translate7,
        flush: flush7,
        exit: exit7,
        interrupt: interrupt7,
    };
    if abi::register7(id, &callbacks) {
        return 0;
    }
    report("this QEMU reports plugin API 7 but lacks functions of it");
    -1
}

/// # Safety
/// `info` comes from QEMU.
unsafe fn guest(info: &sys::qemu_info_t) -> GuestInfo {
    let count = |n: c_int| usize::try_from(n).unwrap_or(0).max(1);
    // SAFETY: the string is NUL-terminated; the union is valid for system emulation and otherwise two
    // integers as well.
    let (target, system) = unsafe { (CStr::from_ptr(info.target_name), info.__bindgen_anon_1.system) };
    GuestInfo {
        target: target.to_string_lossy().into_owned(),
        api: abi::version().cast_unsigned(),
        system: info.system_emulation,
        vcpus: count(system.smp_vcpus),
        max_vcpus: count(system.max_vcpus),
    }
}

/// # Safety
/// `argv` has `argc` NUL-terminated strings.
unsafe fn strings(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller's promise.
    (0..count).map(|i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_string_lossy().into_owned()).collect()
}

fn vcpu_started(vcpu: c_uint) {
    guard(|i| {
        vcpus::start(vcpu);
        i.vcpu_started(&Cpu::new(vcpu), vcpus::are_told_apart());
    });
}

unsafe extern "C" fn vcpu_init4(_id: sys::qemu_plugin_id_t, vcpu: c_uint) {
    vcpu_started(vcpu);
}

unsafe extern "C" fn vcpu_init7(vcpu: c_uint, _data: *mut c_void) {
    vcpu_started(vcpu);
}

unsafe extern "C" fn translate4(_id: sys::qemu_plugin_id_t, tb: *mut sys::qemu_plugin_tb) {
    // SAFETY: QEMU's handle, valid during this call.
    guard(|i| i.translate(&unsafe { TranslationBlock::new(tb) }, Cpu::current().as_ref()));
}

unsafe extern "C" fn translate7(tb: *mut sys::qemu_plugin_tb, _data: *mut c_void) {
    // SAFETY: QEMU's handle, valid during this call.
    guard(|i| i.translate(&unsafe { TranslationBlock::new(tb) }, Cpu::current().as_ref()));
}

unsafe extern "C" fn flush4(_id: sys::qemu_plugin_id_t) {
    guard(|i| i.flushed());
}

unsafe extern "C" fn flush7(_data: *mut c_void) {
    guard(|i| i.flushed());
}

unsafe extern "C" fn exit4(_id: sys::qemu_plugin_id_t, _data: *mut c_void) {
    finish();
}

unsafe extern "C" fn exit7(_data: *mut c_void) {
    finish();
}

/// Ends the trace, also one that stopped because of a panic: what was recorded until then is sound.
fn finish() {
    let broken = BROKEN.load(Ordering::Relaxed);
    let end = |instrument: &dyn Instrument| catch_unwind(AssertUnwindSafe(|| instrument.exit(broken)));
    if INSTRUMENT.get().is_some_and(|instrument| end(&**instrument).is_err()) {
        report("internal error (see above) at the end of the trace; please report it");
    }
}

unsafe extern "C" fn interrupt7(vcpu: c_uint, _kind: c_int, from: u64, to: u64, _data: *mut c_void) {
    guard(|i| i.interrupted(&Cpu::new(vcpus::running(vcpu)), from, to));
}

/// Called before an instruction with a site.
///
/// # Safety
/// `site` is what [`super::Instruction::on_execution`] was given.
pub(super) unsafe extern "C" fn executed(vcpu: c_uint, site: *mut c_void) {
    // SAFETY: only `&'static Site` are registered.
    let site = unsafe { &*site.cast::<ProbeSite>() };
    guard(|i| i.executed(&Cpu::new(vcpus::running(vcpu)), site));
}

/// Called before as many instructions as the address of `count` says.
pub(super) unsafe extern "C" fn counted(_vcpu: c_uint, count: *mut c_void) {
    guard(|i| i.counted(count.addr() as u64));
}

/// Called when a block begins whose number the address of `block` is.
pub(super) unsafe extern "C" fn block_begun(_vcpu: c_uint, block: *mut c_void) {
    guard(|i| i.block_begun(block.addr() as u64));
}

/// Called after an instruction with a site accessed memory.
///
/// # Safety
/// `site` is what [`super::Instruction::on_access`] was given; `info` is valid during the call.
pub(super) unsafe extern "C" fn accessed(
    vcpu: c_uint,
    info: sys::qemu_plugin_meminfo_t,
    vaddr: u64,
    site: *mut c_void,
) {
    // SAFETY: only `&'static Site` are registered; the handle is used within the callback.
    let (site, access) = unsafe { (&*site.cast::<ProbeSite>(), access(info, vaddr)) };
    if access.device.is_some() {
        guard(|i| i.accessed(&Cpu::new(vcpus::running(vcpu)), access, site));
    }
}

/// # Safety
/// Only within a memory callback, with its `info`.
unsafe fn access(info: sys::qemu_plugin_meminfo_t, vaddr: u64) -> MemoryAccess {
    use sys::qemu_plugin_mem_value_type as Kind;
    // SAFETY: the caller's promise; the value's union is read by the type that QEMU gives with it.
    unsafe {
        let device = match vcpus::run_in_parallel().then(|| memory::device_at(vaddr)).flatten() {
            Some(device) => device,
            None => {
                let handle = sys::qemu_plugin_get_hwaddr(info, vaddr);
                let device = !handle.is_null() && sys::qemu_plugin_hwaddr_is_io(handle);
                device.then(|| sys::qemu_plugin_hwaddr_phys_addr(handle))
            }
        };
        let value = sys::qemu_plugin_mem_get_value(info);
        MemoryAccess {
            write: sys::qemu_plugin_mem_is_store(info),
            device,
            width: 1_u8.checked_shl(sys::qemu_plugin_mem_size_shift(info)).unwrap_or(0),
            value: match value.type_ {
                Kind::QEMU_PLUGIN_MEM_VALUE_U8 => value.data.u8_.into(),
                Kind::QEMU_PLUGIN_MEM_VALUE_U16 => value.data.u16_.into(),
                Kind::QEMU_PLUGIN_MEM_VALUE_U32 => value.data.u32_.into(),
                Kind::QEMU_PLUGIN_MEM_VALUE_U64 => value.data.u64_,
                Kind::QEMU_PLUGIN_MEM_VALUE_U128 => value.data.u128_.low,
            },
        }
    }
}

//! The handshake over the API's version.
//!
//! QEMU 10.0 accepts versions 2 to 4, QEMU 11.1 only 7. QEMU reads `qemu_plugin_version` after dlopen, so
//! a constructor that runs inside dlopen sets it to what this QEMU wants. Functions that only one of them
//! has are reached through dlsym.

use qemu_plugin_sys as sys;
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

/// First version whose callbacks all carry user data.
pub const USERDATA: i32 = 7;
const OLDEST: i32 = 4;

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is QEMU's")]
static qemu_plugin_version: AtomicI32 = AtomicI32::new(OLDEST);

#[used]
#[unsafe(link_section = ".init_array")]
static SET_VERSION: extern "C" fn() = set_version;

extern "C" fn set_version() {
    // qemu_plugin_set_pc came with version 6, shortly before 7; a QEMU with 6 refuses the plugin by name.
    if symbol(c"qemu_plugin_set_pc").is_some() {
        qemu_plugin_version.store(USERDATA, Ordering::Relaxed);
    }
}

/// The version that was declared to QEMU.
pub fn version() -> i32 {
    qemu_plugin_version.load(Ordering::Relaxed)
}

/// Address of a function of the running QEMU; none if it has no such function.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    #[cfg(test)]
    if let Some(address) = super::fake::symbol(name) {
        return Some(address);
    }
    // SAFETY: dlsym only reads the name, which is NUL-terminated.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

thread_local! {
    /// Where QEMU keeps the vCPU that runs on this thread: `extern __thread CPUState *current_cpu`, hw/core/cpu.h.
    pub static CURRENT: Option<&'static AtomicPtr<c_void>> = {
        // SAFETY: a variable of this thread, of a pointer's size, that lives as long as the thread; no other thread
        // refers to it.
        symbol(c"current_cpu").map(|place| unsafe { AtomicPtr::from_ptr(place.cast()) })
    };
}

/// QEMU's object of the vCPU that runs on this thread; none on other threads, and if this QEMU does not export it.
pub fn current() -> Option<NonNull<c_void>> {
    NonNull::new(CURRENT.with(|current| *current)?.load(Ordering::Relaxed))
}

type Id = sys::qemu_plugin_id_t;
type Data = *mut c_void;

/// Callbacks as version 4 has them.
pub struct Callbacks4 {
    pub vcpu_init: unsafe extern "C" fn(Id, c_uint),
    pub translate: unsafe extern "C" fn(Id, *mut sys::qemu_plugin_tb),
    pub flush: unsafe extern "C" fn(Id),
    pub exit: unsafe extern "C" fn(Id, Data),
}

/// Callbacks as version 7 has them.
pub struct Callbacks7 {
    pub vcpu_init: unsafe extern "C" fn(c_uint, Data),
    pub translate: unsafe extern "C" fn(*mut sys::qemu_plugin_tb, Data),
    pub flush: unsafe extern "C" fn(Data),
    pub exit: unsafe extern "C" fn(Data),
    pub interrupt: unsafe extern "C" fn(c_uint, c_int, u64, u64, Data),
}

/// Registers the callbacks of version 4.
pub fn register4(id: Id, callbacks: &Callbacks4) {
    // SAFETY: the signatures are those of version 4, which QEMU has agreed to; the functions live as
    // long as the plugin, which is never unloaded.
    unsafe {
        sys::qemu_plugin_register_vcpu_init_cb(id, Some(callbacks.vcpu_init));
        sys::qemu_plugin_register_vcpu_tb_trans_cb(id, Some(callbacks.translate));
        sys::qemu_plugin_register_flush_cb(id, Some(callbacks.flush));
        sys::qemu_plugin_register_atexit_cb(id, Some(callbacks.exit), std::ptr::null_mut());
    }
}

/// Registers the callbacks of version 7. False if QEMU lacks one of the functions.
pub fn register7(id: Id, callbacks: &Callbacks7) -> bool {
    /// `QEMU_PLUGIN_DISCON_INTERRUPT`.
    const INTERRUPT: c_int = 1;
    type WithData = unsafe extern "C" fn(Id, *const c_void, Data);
    type Discontinuity = unsafe extern "C" fn(Id, c_int, *const c_void, Data);
    let names = [
        c"qemu_plugin_register_vcpu_init_cb",
        c"qemu_plugin_register_vcpu_tb_trans_cb",
        c"qemu_plugin_register_flush_cb",
        c"qemu_plugin_register_atexit_cb",
        c"qemu_plugin_register_vcpu_discon_cb",
    ];
    let [Some(init), Some(translate), Some(flush), Some(exit), Some(discontinuity)] = names.map(symbol)
    else {
        return false;
    };
    let none = std::ptr::null_mut();
    // SAFETY: in version 7 these functions take the plugin's id, a callback and user data
    // (include/plugins/qemu-plugin.h); the callbacks have the signatures that version 7 calls them with
    // and live as long as the plugin.
    unsafe {
        let [init, translate, flush, exit] =
            [init, translate, flush, exit].map(|f| std::mem::transmute::<*mut c_void, WithData>(f));
        let discontinuity = std::mem::transmute::<*mut c_void, Discontinuity>(discontinuity);
        init(id, callbacks.vcpu_init as *const c_void, none);
        translate(id, callbacks.translate as *const c_void, none);
        flush(id, callbacks.flush as *const c_void, none);
        exit(id, callbacks.exit as *const c_void, none);
        discontinuity(id, INTERRUPT, callbacks.interrupt as *const c_void, none);
    }
    true
}

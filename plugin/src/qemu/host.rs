//! The process around us: signals and messages.

use std::io::Write;

/// Blocks all signals on this thread: they are for QEMU's threads.
pub fn block_signals() {
    // SAFETY: a full set on the stack, for this thread only.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// Tells the user something, on standard error.
pub fn report(message: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "iotrace: {message}");
}

/// Prints what is no complaint, on standard error: `iotrace info:` begins no line of [`report`].
pub fn inform(message: &str) {
    let _ = writeln!(std::io::stderr(), "iotrace info: {message}");
}

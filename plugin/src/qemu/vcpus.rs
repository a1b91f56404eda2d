//! Which vCPU a callback is of, and whether translated code can count for it.
//!
//! In: vCPUs that start on a thread, the number that QEMU gives with a callback. Out: the number of the vCPU that is in
//! execution.
//!
//! Where all vCPUs share a thread (`-icount`, `-accel tcg,thread=single`) QEMU, from 10.0 on, takes the number of the
//! vCPU that translates a block for a constant, though all of them execute it (`gen_cpu_index`,
//! accel/tcg/plugin-gen.c). For an inline operation it multiplies that constant, in its place, with the size of a
//! scoreboard's elements (`gen_plugin_u64_ptr`): later callbacks and inline operations of the block, and the guest's own
//! code, then have the product. Only with 0 is that harmless. So translated code of such a thread counts only where
//! vCPU 0 translates, and for all vCPUs of the thread together; elsewhere, callbacks count.

use super::abi::{current, symbol};
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of a vCPU of which nothing is known.
pub const UNKNOWN: u32 = u32::MAX;

/// `CPUState *qemu_get_cpu(int index)`, include/hw/core/cpu.h.
type GetCpu = unsafe extern "C" fn(c_int) -> *mut c_void;

/// QEMU's objects of vCPUs, by address.
type Object = usize;

/// The vCPUs that run on a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    None,
    One(u32),
    /// With the object and the number of the one that was in execution last.
    Several(Object, u32),
}

thread_local! {
    static HERE: Cell<Here> = const { Cell::new(Here::None) };
    /// Numbers and objects; an object is 0 if this QEMU does not tell.
    static ALL: RefCell<Vec<(u32, Object)>> = const { RefCell::new(Vec::new()) };
}

/// One past the highest number of a vCPU that has started: QEMU has scores of those below.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Whether QEMU has scores of a vCPU: for others it ends itself.
pub fn has_scores(vcpu: u32) -> bool {
    vcpu < STARTED.load(Ordering::Relaxed)
}

/// A vCPU has started on this thread. To be called when QEMU says so.
pub fn start(vcpu: u32) {
    STARTED.fetch_max(vcpu.saturating_add(1), Ordering::Relaxed);
    let object = object_of(vcpu);
    ALL.with_borrow_mut(|all| {
        // One that is plugged in again is another object, and no two have the same.
        all.retain(|(number, _)| *number != vcpu);
        let known = object.filter(|object| all.iter().all(|(_, other)| other != object));
        all.push((vcpu, known.unwrap_or(0)));
        HERE.set(if all.len() == 1 { Here::One(vcpu) } else { Here::Several(0, UNKNOWN) });
    });
}

/// The object of a vCPU that starts on this thread.
fn object_of(vcpu: u32) -> Option<Object> {
    let Some(get) = symbol(c"qemu_get_cpu") else { return current().map(|object| object.addr().get()) };
    // SAFETY: the function has this signature in all versions; it goes through the list of vCPUs, to which this one
    // belongs when it starts.
    let object = unsafe { std::mem::transmute::<*mut c_void, GetCpu>(get)(c_int::try_from(vcpu).ok()?) };
    NonNull::new(object).map(|object| object.addr().get())
}

/// The vCPU in execution on this thread, in a callback for which QEMU gives a number.
pub fn running(given: u32) -> u32 {
    match HERE.get() {
        Here::One(vcpu) => vcpu,
        Here::None => given,
        Here::Several(last, vcpu) => match current().map(|object| object.addr().get()) {
            Some(object) if object == last => vcpu,
            Some(object) => find(object).unwrap_or(UNKNOWN),
            None => given,
        },
    }
}

fn find(object: Object) -> Option<u32> {
    let (vcpu, _) = ALL.with_borrow(|all| all.iter().find(|(_, other)| *other == object).copied())?;
    HERE.set(Here::Several(object, vcpu));
    Some(vcpu)
}

/// Whether this QEMU tells which of the vCPUs of this thread is in execution.
pub fn are_told_apart() -> bool {
    !matches!(HERE.get(), Here::Several(..))
        || ALL.with_borrow(|all| all.iter().all(|(_, object)| *object != 0))
}

/// The vCPU whose score translated code of this thread changes, when `vcpu` is in execution.
pub fn score_of(vcpu: u32) -> u32 {
    if matches!(HERE.get(), Here::Several(..)) { 0 } else { vcpu }
}

/// Whether other vCPUs may execute while the one on this thread is in a callback.
pub fn run_in_parallel() -> bool {
    matches!(HERE.get(), Here::One(_)) && STARTED.load(Ordering::Relaxed) > 1
}

/// Whether a block that is being translated on this thread may have inline operations.
pub fn may_inline() -> bool {
    match HERE.get() {
        Here::One(_) => true,
        Here::Several(..) => running(UNKNOWN) == 0,
        Here::None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake;

    #[test]
    fn a_vcpu_on_a_thread_of_its_own_is_known_whatever_qemu_says() {
        fake::start(3);
        assert_eq!((running(0), running(72), score_of(3)), (3, 3, 3));
        assert!(may_inline() && are_told_apart() && has_scores(3));
    }

    #[test]
    fn vcpus_that_share_a_thread_are_known_by_their_objects() {
        fake::share_thread(2);
        for vcpu in [1, 0, 1] {
            fake::execute(vcpu);
            // What QEMU gives is the number of the one that translated the code, or its product with 24.
            for given in [0, 1, 24, 576] {
                assert_eq!(running(given), vcpu);
            }
            assert_eq!((may_inline(), score_of(vcpu)), (vcpu == 0, 0));
        }
        assert!(are_told_apart());
        fake::execute(2);
        assert_eq!((running(1), may_inline()), (UNKNOWN, false));
    }

    #[test]
    fn without_qemus_objects_vcpus_that_share_a_thread_cannot_be_told_apart() {
        fake::hide_symbols();
        fake::share_thread(1);
        assert!(are_told_apart() && may_inline());
        fake::share_thread(2);
        assert!(!are_told_apart() && !may_inline());
        assert_eq!(running(1), 1);
    }
}

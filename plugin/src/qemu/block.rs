//! A block being translated.

use super::{Counter, entry, vcpus};
use crate::site::ProbeSite;
use qemu_plugin_sys as sys;
use std::ffi::{c_uint, c_void};

/// A block being translated. Lives only during the callback.
pub struct TranslationBlock(*mut sys::qemu_plugin_tb);

impl TranslationBlock {
    /// # Safety
    /// `tb` is QEMU's handle, and the result does not outlive the callback.
    pub(super) unsafe fn new(tb: *mut sys::qemu_plugin_tb) -> Self {
        Self(tb)
    }

    /// Virtual address of its first instruction.
    pub fn address(&self) -> u64 {
        // SAFETY: the handle is valid during the callback.
        unsafe { sys::qemu_plugin_tb_vaddr(self.0) }
    }

    /// Its instructions in order.
    pub fn instructions(&self) -> impl ExactSizeIterator<Item = Instruction> + DoubleEndedIterator + '_ {
        // SAFETY: the handle is valid during the callback.
        let count = unsafe { sys::qemu_plugin_tb_n_insns(self.0) };
        (0..count).map(|at| self.instruction(at))
    }

    /// The instruction at a place in the block, which must have one there.
    pub fn instruction(&self, at: usize) -> Instruction {
        // SAFETY: the handle is valid during the callback. QEMU checks the place itself: it gives a null pointer, and
        // complains, for one that is not there.
        unsafe { Instruction::new(sys::qemu_plugin_tb_get_insn(self.0, at)) }
    }
}

/// An instruction being translated. Lives only during the callback.
pub struct Instruction(*mut sys::qemu_plugin_insn);

impl Instruction {
    /// # Safety
    /// `instruction` is QEMU's handle, and the result does not outlive the callback.
    pub(super) unsafe fn new(instruction: *mut sys::qemu_plugin_insn) -> Self {
        Self(instruction)
    }

    /// Virtual address.
    pub fn address(&self) -> u64 {
        // SAFETY: the handle is valid during the callback.
        unsafe { sys::qemu_plugin_insn_vaddr(self.0) }
    }

    /// Its length in bytes.
    pub fn length(&self) -> usize {
        // SAFETY: the handle is valid during the callback.
        unsafe { sys::qemu_plugin_insn_size(self.0) }
    }

    /// Its first bytes, and how many of them there are.
    pub fn bytes(&self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        // SAFETY: QEMU writes at most the length it is given.
        let length =
            unsafe { sys::qemu_plugin_insn_data(self.0, bytes.as_mut_ptr().cast::<c_void>(), bytes.len()) };
        (bytes, length.min(16))
    }

    /// Counts `count` instructions whenever it is executed, before any callback attached after this call.
    pub fn count(&self, counter: &Counter, count: u64) {
        if vcpus::may_inline() {
            self.inline(sys::qemu_plugin_op::QEMU_PLUGIN_INLINE_ADD_U64, counter.count(), count);
        } else {
            self.call(entry::counted, count);
        }
    }

    /// Says whenever it is executed that a block is running, after any callback attached before this call.
    pub fn tell_block(&self, counter: &Counter, number: u64) {
        if vcpus::may_inline() {
            self.inline(sys::qemu_plugin_op::QEMU_PLUGIN_INLINE_STORE_U64, counter.block(), number);
        } else {
            self.call(entry::block_begun, number);
        }
    }

    /// Says whenever it is executed how many instructions are behind it in its block, before any callback attached
    /// to its execution after this call. Only in a recording or a replay, which have one vCPU.
    pub fn tell_behind(&self, counter: &Counter, instructions: u64) {
        self.inline(sys::qemu_plugin_op::QEMU_PLUGIN_INLINE_STORE_U64, counter.behind(), instructions);
    }

    /// The same whenever it accesses memory, before any callback attached to its accesses after this call: where an
    /// instruction that accesses a device is translated anew, QEMU attaches nothing to its execution
    /// (`CF_MEMI_ONLY`, accel/tcg/translate-all.c).
    pub fn tell_behind_access(&self, counter: &Counter, instructions: u64) {
        // SAFETY: the handle is valid during the callback; the scoreboard is never freed.
        unsafe {
            sys::qemu_plugin_register_vcpu_mem_inline_per_vcpu(
                self.0,
                sys::qemu_plugin_mem_rw::QEMU_PLUGIN_MEM_RW,
                sys::qemu_plugin_op::QEMU_PLUGIN_INLINE_STORE_U64,
                counter.behind(),
                instructions,
            );
        }
    }

    fn inline(&self, operation: sys::qemu_plugin_op, on: sys::qemu_plugin_u64, value: u64) {
        // SAFETY: the handle is valid during the callback; the scoreboard is never freed.
        unsafe {
            sys::qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(self.0, operation, on, value);
        }
    }

    /// Calls a function with a number before each execution.
    fn call(&self, function: unsafe extern "C" fn(c_uint, *mut c_void), number: u64) {
        // SAFETY: the handle is valid during the callback; the function takes the number for what it is.
        unsafe {
            sys::qemu_plugin_register_vcpu_insn_exec_cb(
                self.0,
                Some(function),
                sys::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_NO_REGS,
                std::ptr::without_provenance_mut(number as usize),
            );
        }
    }

    /// Calls [`super::Instrument::executed`] with `site` before each execution.
    pub fn on_execution(&self, site: &'static ProbeSite) {
        // SAFETY: the handle is valid during the callback; the site lives forever, and `executed` takes
        // it for what it is.
        unsafe {
            sys::qemu_plugin_register_vcpu_insn_exec_cb(
                self.0,
                Some(entry::executed),
                sys::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_R_REGS,
                data(site),
            );
        }
    }

    /// Calls [`super::Instrument::accessed`] with `site` after each access to device memory.
    pub fn on_access(&self, site: &'static ProbeSite) {
        // SAFETY: as in `on_execution`.
        unsafe {
            sys::qemu_plugin_register_vcpu_mem_cb(
                self.0,
                Some(entry::accessed),
                sys::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_R_REGS,
                sys::qemu_plugin_mem_rw::QEMU_PLUGIN_MEM_RW,
                data(site),
            );
        }
    }
}

fn data(site: &'static ProbeSite) -> *mut c_void {
    std::ptr::from_ref(site).cast_mut().cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake::{self, Attached};

    #[test]
    fn translated_code_that_vcpus_share_counts_only_if_vcpu_0_has_translated_it() {
        fake::share_thread(3);
        let counter = Counter::new();
        for vcpu in [0, 1, 2] {
            fake::execute(vcpu);
            fake::instruction().count(&counter, 17);
            fake::instruction().tell_block(&counter, 5);
            let called = [Attached::Call(17), Attached::Call(5)];
            let expected = if vcpu == 0 { [Attached::Inline; 2] } else { called };
            assert_eq!(fake::take_attached(), expected, "vCPU {vcpu}");
        }
    }
}

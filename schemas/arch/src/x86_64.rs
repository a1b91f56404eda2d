//! x86-64.
//!
//! - `decode`: what an instruction does.
//! - `jumps`: calls and jumps in code of which nobody says where its instructions begin.
//! - `names`: symbols of the kernel's code.

mod decode;
mod jumps;
mod names;

use crate::code::{Callee, Code, Exception, InstructionKind, Relocation, VcpuState};
use crate::{Arch, Memory, Reg, Registers};

/// As constants and code.
pub static ARCH: Arch = Arch {
    name: "x86_64",
    qemu: "qemu-system-x86_64",
    machine: 62,
    memory: Memory {
        // arch/x86/include/asm/page_types.h
        page_shift: 12,
        // THREAD_SIZE, arch/x86/include/asm/page_64_types.h. (A kernel with KASAN has twice that.)
        stack_size: 16 << 10,
        // With 5-level paging (Documentation/arch/x86/x86_64/mm.rst). With 4-level paging the kernel's half begins at
        // 0xffff_8000_0000_0000, and what lies between the two is no address.
        kernel_start: 0xff00_0000_0000_0000,
        // __START_KERNEL_map, arch/x86/include/asm/page_64_types.h; 1 GiB with KASLR (mm.rst).
        images: 0xffff_ffff_8000_0000..0xffff_ffff_c000_0000,
        // CONFIG_PHYSICAL_ALIGN
        image_step: 0x20_0000,
        // From the image on, with and without KASLR, to MODULES_END, arch/x86/include/asm/pgtable_64_types.h.
        modules: 0xffff_ffff_8000_0000..0xffff_ffff_ff00_0000,
    },
    registers: Registers {
        // System V ABI for x86-64, figure 3.36.
        names: &[
            "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
            "r14", "r15", "gs_base",
        ],
        // R_EAX to R_R15, target/i386/cpu.h: as instructions encode them.
        in_qemu: &[0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15],
        stack: Reg::new(7),
        result: RAX,
        // rdi, rsi, rdx, rcx, r8, r9
        arguments: &[Reg::new(5), Reg::new(4), Reg::new(1), RCX, Reg::new(8), Reg::new(9)],
        per_cpu: Reg::new(16),
        return_slot: 8,
    },
    // SYSCALL_DEFINEx, arch/x86/include/asm/syscall_wrapper.h
    system_call_prefixes: &["__x64_"],
    code: &X86_64,
};

const RAX: Reg = Reg::new(0);
const RCX: Reg = Reg::new(2);
const RBX: Reg = Reg::new(3);

/// EAX of the CPUID instruction that sets a mark: "iotr"; the code is in EBX, an argument in ECX. No processor has this
/// leaf, so the instruction does nothing else.
const MARK_LEAF: u64 = 0x696f_7472;

#[derive(Debug)]
struct X86_64;

impl Code for X86_64 {
    fn instruction(&self, code: &[u8], address: u64) -> InstructionKind {
        decode::instruction(code, address)
    }

    fn may_be_mark(&self, length: usize) -> bool {
        length == decode::CPUID.len()
    }

    fn may_access_device(&self, code: &[u8]) -> bool {
        decode::may_access_device(code)
    }

    fn may_be_left_early(&self, code: &[u8]) -> bool {
        decode::may_be_left_early(code)
    }

    fn longest_call(&self) -> usize {
        jumps::LONGEST_CALL
    }

    fn call_before(&self, before: &[u8], after: u64) -> Option<Callee> {
        jumps::call_before(before.last_chunk()?, after)
    }

    fn behind_padding(&self, target: u64) -> u64 {
        names::behind_padding(target)
    }

    fn calls(&self, code: &[u8], start: u64) -> Vec<(u64, Callee)> {
        jumps::calls_in(code, start).collect()
    }

    fn jumps(&self, code: &[u8], start: u64) -> Vec<(u64, u64)> {
        jumps::jumps_in(code, start).collect()
    }

    fn may_jump_out(&self, code: &[u8], start: u64, inside: &dyn Fn(u64) -> bool) -> bool {
        jumps::may_jump_out(code, start, inside)
    }

    fn mark(&self, state: &dyn VcpuState) -> Option<[u64; 2]> {
        let low = |register| state.register(register) & 0xffff_ffff;
        (low(RAX) == MARK_LEAF).then(|| [low(RBX), low(RCX)])
    }

    /// The error code is on top of the stack, the instruction's address behind it.
    fn fault(&self, state: &dyn VcpuState) -> Exception {
        /// `X86_PF_INSTR`, arch/x86/include/asm/trap_pf.h.
        const FETCH: u64 = 1 << 4;
        let stack = state.stack();
        if state.number(stack, 8).unwrap_or(0) & FETCH != 0 {
            return Exception::Fetch;
        }
        Exception::Access(state.number(stack.wrapping_add(8), 8).unwrap_or(0))
    }

    /// On top of the stack.
    fn returns_to(&self, state: &dyn VcpuState) -> u64 {
        state.number(state.stack(), 8).unwrap_or(0)
    }

    /// R_X86_64_NONE, _64, _32, _32S, _PC32, _PC64 (System V ABI for x86-64, table 4.10).
    fn relocation(&self, kind: u32) -> Option<Relocation> {
        Some(match kind {
            0 => Relocation::None,
            1 => Relocation::Absolute(8),
            10 | 11 => Relocation::Absolute(4),
            2 => Relocation::Relative(4),
            24 => Relocation::Relative(8),
            _ => return None,
        })
    }

    /// R_X86_64_PC32 and R_X86_64_PLT32 behind the opcode of `call rel32`.
    fn relocated_call(&self, code: &[u8], at: u64, kind: u32) -> Option<u64> {
        let opcode = code.get(usize::try_from(at).ok()?.checked_sub(1)?)?;
        (matches!(kind, 2 | 4) && *opcode == 0xe8).then(|| at.wrapping_add(4))
    }

    fn is_return_thunk(&self, name: &str) -> bool {
        names::is_return_thunk(name)
    }

    fn is_call_thunk(&self, name: &str) -> bool {
        names::is_call_thunk(name)
    }

    fn patched_call(&self, name: &str, after: u64) -> Option<u64> {
        names::patched_call(name, after)
    }

    fn is_called(&self, name: &str) -> bool {
        names::is_called(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Registers by number, the stack pointer, words of memory.
    #[derive(Default)]
    struct Made(BTreeMap<u8, u64>, u64, BTreeMap<u64, u64>);

    impl VcpuState for Made {
        fn register(&self, register: Reg) -> u64 {
            self.0.get(&register.number()).copied().unwrap_or(0)
        }

        fn number(&self, address: u64, width: u8) -> Option<u64> {
            assert_eq!(width, 8);
            self.2.get(&address).copied()
        }

        fn stack(&self) -> u64 {
            self.1
        }
    }

    #[test]
    fn a_mark_has_its_leaf_in_the_lower_half_of_the_register() {
        let state = |leaf| Made([(0, leaf), (2, 0x1_0000_0007), (3, 1)].into(), 0, BTreeMap::new());
        assert_eq!(X86_64.mark(&state(0xff_696f_7472)), Some([1, 7]));
        assert_eq!(X86_64.mark(&state(0x696f_7473)), None);
    }

    #[test]
    fn a_fault_is_of_the_fetch_or_of_an_access() {
        let frame = |code| Made(BTreeMap::new(), 0x100, [(0x100, code), (0x108, 0x4000)].into());
        assert_eq!(X86_64.fault(&frame(0x10)), Exception::Fetch);
        assert_eq!(X86_64.fault(&frame(0x02)), Exception::Access(0x4000));
        assert_eq!(X86_64.returns_to(&frame(0x4321)), 0x4321);
    }
}

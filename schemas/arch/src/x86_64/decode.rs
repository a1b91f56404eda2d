//! What an instruction does.
//!
//! In: its bytes. Out: what is of interest of it. Instructions that the decoder is built without (those of vector
//! extensions) may access devices, and are none of the others.

use crate::code::InstructionKind;
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, OpKind, Register};

/// CPUID, without prefixes.
pub const CPUID: [u8; 2] = [0x0f, 0xa2];

/// The instruction that begins with the first byte; none if it is not known.
pub fn decoded(code: &[u8], address: u64) -> Option<iced_x86::Instruction> {
    let instruction = Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// What an instruction does. IRET without REX.W is not what a kernel returns with.
pub fn instruction(code: &[u8], address: u64) -> InstructionKind {
    let Some(decoded) = decoded(code, address) else { return InstructionKind::Other };
    match decoded.code() {
        Code::Cpuid => InstructionKind::Mark,
        Code::Hlt => InstructionKind::Halt,
        Code::Iretq => InstructionKind::ExceptionReturn,
        Code::Retnq | Code::Retnq_imm16 => InstructionKind::Return,
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 => InstructionKind::Jump(decoded.near_branch_target()),
        _ => InstructionKind::Other,
    }
}

/// See [`crate::Code::may_be_left_early`].
pub fn may_be_left_early(code: &[u8]) -> bool {
    let Some(decoded) = decoded(code, 0) else { return true };
    let repeated =
        decoded.is_string_instruction() && (decoded.has_rep_prefix() || decoded.has_repne_prefix());
    decoded.flow_control() == FlowControl::Next && !repeated
}

/// See [`crate::Code::may_access_device`]. The stack is addressed by its pointer, a variable of the image by RIP,
/// per-CPU data through GS.
pub fn may_access_device(code: &[u8]) -> bool {
    let Some(decoded) = decoded(code, 0) else { return true };
    if matches!(decoded.segment_prefix(), Register::FS | Register::GS) {
        return false;
    }
    decoded.op_kinds().any(|operand| match operand {
        OpKind::Memory => {
            !decoded.is_ip_rel_memory_operand()
                && !matches!(decoded.memory_base(), Register::RSP | Register::ESP)
        }
        OpKind::MemorySegSI
        | OpKind::MemorySegESI
        | OpKind::MemorySegRSI
        | OpKind::MemorySegDI
        | OpKind::MemorySegEDI
        | OpKind::MemorySegRDI
        | OpKind::MemoryESDI
        | OpKind::MemoryESEDI
        | OpKind::MemoryESRDI => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_known_by_their_bytes() {
        use InstructionKind::{ExceptionReturn, Halt, Jump, Mark, Other, Return};
        for (code, expected) in [
            (&[0xc3][..], Return),
            (&[0xf3, 0xc3], Return),
            (&[0xc2, 8, 0], Return),
            (&[0xe9, 0xfb, 0x0f, 0, 0], Jump(0x2000)),
            (&[0xeb, 0xfe], Jump(0x1000)),
            (&[0x74, 0xfe], Other),
            (&[0x0f, 0xa2], Mark),
            (&[0xf4], Halt),
            (&[0x48, 0xcf], ExceptionReturn),
            (&[0xcf], Other),
            (&[0x90], Other),
            (&[0xe9, 0xfb], Other),
            (&[], Other),
        ] {
            assert_eq!(instruction(code, 0x1000), expected, "{code:02x?}");
        }
    }

    #[test]
    fn what_cannot_access_a_device_is_known_by_its_bytes() {
        for (code, expected) in [
            (&[0x53][..], false),                           // push %rbx
            (&[0x41, 0x5c], false),                         // pop %r12
            (&[0x48, 0x89, 0xe5], false),                   // mov %rsp,%rbp
            (&[0x48, 0x8b, 0x44, 0x24, 0x08], false),       // mov 0x8(%rsp),%rax
            (&[0x49, 0x8b, 0x44, 0x24, 0x08], true),        // mov 0x8(%r12),%rax
            (&[0x8b, 0x05, 0, 0, 0, 0], false),             // mov 0x0(%rip),%eax
            (&[0x65, 0x8b, 0x04, 0x25, 0, 0, 0, 0], false), // mov %gs:0x0,%eax
            (&[0x88, 0x57, 0x14], true),                    // mov %dl,0x14(%rdi)
            (&[0x0f, 0xb6, 0x47, 0x0c], true),              // movzbl 0xc(%rdi),%eax
            (&[0x8b, 0x00], true),                          // mov (%rax),%eax
            (&[0xf3, 0xa4], true),                          // rep movsb
            (&[0x66, 0xc7, 0x40, 0x10, 0x01, 0x00], true),  // movw $0x1,0x10(%rax)
            (&[0xc5, 0xf8, 0x28, 0x00], true),              // vmovaps (%rax),%xmm0
            (&[0xf3, 0xc3], false),                         // repz ret
        ] {
            assert_eq!(may_access_device(code), expected, "{code:02x?}");
        }
    }

    #[test]
    fn what_ends_a_block_is_not_left_early() {
        for code in [
            &[0xc3][..],
            &[0xe8, 0, 0, 0, 0],
            &[0x41, 0xff, 0xe0],
            &[0xff, 0x57, 0x38],
            &[0x0f, 0x84, 0, 0, 0, 0],
            &[0xe2, 0xfe],
            &[0xe3, 0xfe],
            &[0xf3, 0xa4],
            &[0xf2, 0xae],
            &[0x48, 0xcf],
        ] {
            assert!(!may_be_left_early(code), "{code:02x?}");
        }
        for code in [&[0x88, 0x57, 0x14][..], &[0xff, 0x47, 0x14], &[0xa4], &[0xf2, 0x0f, 0x10, 0x07]] {
            assert!(may_be_left_early(code), "{code:02x?}");
        }
    }
}

//! Instructions, by their bytes.
//!
//! In: the bytes of an instruction. Out: whether it returns, may access a device, may be left early.

use rustc_hash::FxHashSet;

/// CPUID, without prefixes.
pub const CPUID: [u8; 2] = [0x0f, 0xa2];

/// Whether an instruction may be one in the middle of a block. A jump, a call, a return and a repeated string operation
/// are always the last.
pub fn may_be_left_early(code: &[u8]) -> bool {
    let (_, code) = split_prefixes(code);
    !matches!(
        code,
        [0xc2 | 0xc3 | 0xca | 0xcb | 0xcf | 0xe0..=0xe3 | 0xe8..=0xeb | 0x70..=0x7f | 0xf2 | 0xf3, ..]
            | [0x0f, 0x80..=0x8f, ..]
    ) && !matches!(code, [0xff, modrm, ..] if (2..=5).contains(&(modrm >> 3 & 7)))
}

/// Whether an instruction may access memory that is a device's: not the stack, a variable of the image or per-CPU data
/// (Intel SDM volume 2, chapter 2 and appendix A).
pub fn may_access_device(code: &[u8]) -> bool {
    let (prefixes, code) = split_prefixes(code);
    if prefixes.iter().any(|byte| matches!(byte, 0x64 | 0x65)) {
        return false;
    }
    let rex_b = prefixes.last().is_some_and(|rex| rex & 0xf1 == 0x41);
    let operand = |modrm: u8, rest: &[u8]| may_be_device(modrm, rest.first().copied().unwrap_or(0), rex_b);
    match code {
        // PUSH, POP, CALL, RET, ENTER, LEAVE, IRET, PUSHF, POPF.
        [0x50..=0x5f | 0x68 | 0x6a | 0x9c | 0x9d | 0xc2 | 0xc3 | 0xc8..=0xcb | 0xcf | 0xe8, ..] => false,
        // What has no ModR/M byte and accesses memory, or has it elsewhere.
        [0x62 | 0x6c..=0x6f | 0xa0..=0xa7 | 0xaa..=0xaf | 0xc4 | 0xc5 | 0xd7 | 0xf2 | 0xf3, ..] => true,
        [0x0f, 0x38 | 0x3a, _, modrm, rest @ ..] | [0x0f, _, modrm, rest @ ..] | [_, modrm, rest @ ..] => {
            operand(*modrm, rest)
        }
        _ => false,
    }
}

/// Whether an operand may lie in a device: it is in memory, and not addressed by the stack pointer or by RIP.
fn may_be_device(modrm: u8, sib: u8, rex_b: bool) -> bool {
    match (modrm >> 6, modrm & 7) {
        (3, _) | (0, 5) => false,
        (_, 4) => sib & 7 != 4 || rex_b,
        _ => true,
    }
}

/// Prefixes of operand and address size, of segments, LOCK and REX, and what is behind them.
fn split_prefixes(code: &[u8]) -> (&[u8], &[u8]) {
    let prefix = |byte: &&u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0);
    code.split_at(code.iter().take_while(prefix).count())
}

/// RET, with or without a REP prefix or an operand, or a jump to a return thunk.
pub fn is_return(code: &[u8], address: u64, thunks: &FxHashSet<u64>) -> bool {
    match *code {
        [0xc3 | 0xc2, ..] | [0xf3, 0xc3, ..] => true,
        [0xe9, a, b, c, d] => {
            let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
            thunks.contains(&address.wrapping_add(5).wrapping_add_signed(distance))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_known_by_their_bytes() {
        let thunks = |address| FxHashSet::from_iter([address]);
        assert!(is_return(&[0xc3], 0, &thunks(0)));
        assert!(is_return(&[0xf3, 0xc3], 0, &thunks(0)));
        assert!(is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &thunks(0x2000)));
        assert!(!is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &thunks(0x3000)));
        assert!(!is_return(&[0x90], 0, &thunks(0)));
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
        ] {
            assert_eq!(may_access_device(code), expected, "{code:02x?}");
        }
    }

    #[test]
    fn what_ends_a_block_is_not_left_early() {
        for code in
            [&[0xc3][..], &[0xe8, 0, 0, 0, 0], &[0x41, 0xff, 0xe0], &[0x0f, 0x84, 0, 0, 0, 0], &[0xf3, 0xa4]]
        {
            assert!(!may_be_left_early(code), "{code:02x?}");
        }
        assert!(may_be_left_early(&[0x88, 0x57, 0x14]) && may_be_left_early(&[0xff, 0x47, 0x14]));
    }
}

//! Call instructions, by their bytes.
//!
//! In: machine code of x86-64, or the relocations of a module. Out: the addresses behind calls, and what is
//! called. Every byte that may begin a call is looked at: what is no call and looks like one is the address of
//! no instruction, or one that nothing returns to.

use crate::bytes::{str_at, u32_at, u64_at};
use crate::symtab::SymbolEntry;
use crate::{Image, ModuleFile};
use goblin::elf::section_header::SHT_RELA;

/// What a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// This address.
    Address(u64),
    /// Where a register or memory points to.
    Pointer,
}

/// Bytes of the longest call.
pub const LONGEST_CALL: usize = 7;

/// What the bytes before `after` call, if they end in a call: `e8 rel32` or `ff /2` (Intel SDM volume 2, CALL).
#[must_use]
pub fn call_before(before: &[u8; LONGEST_CALL], after: u64) -> Option<Callee> {
    match *before {
        [_, _, 0xe8, a, b, c, d] => {
            let distance = i32::from_le_bytes([a, b, c, d]);
            Some(Callee::Address(after.wrapping_add_signed(distance.into())))
        }
        [.., 0xff, 0xd0..=0xd7]
        | [.., 0xff, 0x10..=0x13 | 0x16 | 0x17]
        | [.., 0xff, 0x50..=0x53 | 0x55..=0x57, _]
        | [.., 0xff, 0x14, _]
        | [.., 0xff, 0x54, _, _]
        | [_, 0xff, 0x15 | 0x90..=0x93 | 0x95..=0x97, _, _, _, _]
        | [0xff, 0x14 | 0x94, _, _, _, _, _] => Some(Callee::Pointer),
        _ => None,
    }
}

/// The addresses behind the calls in code that begins at `start`, and what is called.
pub fn calls_in(code: &[u8], start: u64) -> impl Iterator<Item = (u64, Callee)> + '_ {
    (0..=code.len()).filter_map(move |end| {
        let mut before = [0; LONGEST_CALL];
        let part = code.get(end.saturating_sub(LONGEST_CALL)..end)?;
        before.get_mut(LONGEST_CALL - part.len()..)?.copy_from_slice(part);
        let after = start.wrapping_add(end as u64);
        Some((after, call_before(&before, after)?))
    })
}

/// Where the jumps with a 32-bit distance in code that begins at `start` are, and where they go: `e9 rel32`
/// (Intel SDM volume 2, JMP).
pub fn jumps_in(code: &[u8], start: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
    code.windows(5).enumerate().filter_map(move |(at, window)| {
        let &[0xe9, a, b, c, d] = window else { return None };
        let from = start.wrapping_add(at as u64);
        let distance = i32::from_le_bytes([a, b, c, d]);
        Some((from, from.wrapping_add(5).wrapping_add_signed(distance.into())))
    })
}

/// Whether code that begins at `start` may be left other than by a return: by a jump to an address that is not `inside`,
/// or by one through a pointer (Intel SDM volume 2, JMP and Jcc). Every byte that may begin a jump is looked at: what is
/// none and looks like one makes the answer yes where it could be no, never the other way.
pub fn may_jump_out(code: &[u8], start: u64, inside: impl Fn(u64) -> bool) -> bool {
    (0..code.len()).any(|at| {
        let to = |length: usize, distance: i32| {
            !inside(start.wrapping_add((at + length) as u64).wrapping_add_signed(distance.into()))
        };
        match code[at..] {
            [0xe9, a, b, c, d, ..] => to(5, i32::from_le_bytes([a, b, c, d])),
            [0x0f, 0x80..=0x8f, a, b, c, d, ..] => to(6, i32::from_le_bytes([a, b, c, d])),
            [0xeb | 0x70..=0x7f, a, ..] => to(2, i32::from(a.cast_signed())),
            [0xff, modrm, ..] => modrm >> 3 & 7 == 4,
            _ => false,
        }
    })
}

/// A call in a module whose target the loader fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelocatedCall<'a> {
    /// The section it is in.
    pub section: &'a str,
    /// Offset of the address behind it in the section, in bytes.
    pub after: u64,
    /// The symbol called.
    pub symbol: &'a str,
}

impl ModuleFile {
    /// Its calls of functions of other sections and of the kernel.
    #[must_use]
    pub fn relocated_calls(&self) -> Vec<RelocatedCall<'_>> {
        relocated_calls(self.image())
    }
}

fn relocated_calls(image: &Image) -> Vec<RelocatedCall<'_>> {
    /// sizeof(Elf64_Rela)
    const RELA: usize = 24;
    /// R_X86_64_PC32 and R_X86_64_PLT32.
    const RELATIVE: [u32; 2] = [2, 4];
    let Some((symtab, strtab)) = image.symtab() else { return Vec::new() };
    let name = |number: u32| {
        let symbol = SymbolEntry::of_table(symtab).nth(usize::try_from(number).ok()?)?;
        str_at(strtab, usize::try_from(symbol.name).ok()?)
    };
    let mut calls = Vec::new();
    for rela in image.sections().iter().filter(|s| s.kind == SHT_RELA) {
        let Some(target) = image.sections().get(rela.info as usize).filter(|s| s.executable) else {
            continue;
        };
        for entry in rela.bytes.chunks_exact(RELA) {
            let (Some(at), Some(kind), Some(number)) =
                (u64_at(entry, 0), u32_at(entry, 8), u32_at(entry, 12))
            else {
                continue;
            };
            let opcode = usize::try_from(at).ok().and_then(|at| target.bytes.get(at.checked_sub(1)?));
            if let (true, Some(0xe8), Some(symbol)) = (RELATIVE.contains(&kind), opcode, name(number)) {
                calls.push(RelocatedCall { section: &target.name, after: at.wrapping_add(4), symbol });
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_bytes() {
        // as objdump shows them: call *%rax; call *%r8; call *0x38(%rdi); call *0x8(%rsp); call *0x10(%rip)
        for code in [
            &[0xff, 0xd0][..],
            &[0x41, 0xff, 0xd0],
            &[0xff, 0x57, 0x38],
            &[0xff, 0x54, 0x24, 0x08],
            &[0xff, 0x15, 0x10, 0, 0, 0],
            &[0xff, 0x14, 0xc5, 0, 0, 0, 0x82],
        ] {
            let mut before = [0x90; LONGEST_CALL];
            before[LONGEST_CALL - code.len()..].copy_from_slice(code);
            assert_eq!(call_before(&before, 0), Some(Callee::Pointer), "{code:02x?}");
        }
        assert_eq!(call_before(&[0x90; LONGEST_CALL], 0), None);
    }

    #[test]
    fn jumps_give_their_target() {
        let mut code = vec![0x90; 32];
        code[8..13].copy_from_slice(&[0xe9, 0xf3, 0x0f, 0, 0]);
        assert_eq!(jumps_in(&code, 0x1000).collect::<Vec<_>>(), [(0x1008, 0x2000)]);
    }

    #[test]
    fn a_jump_out_of_a_function_is_seen() {
        let inside = |address: u64| (0x1000..0x1010).contains(&address);
        for (code, expected) in [
            (&[0x90, 0xc3][..], false),
            (&[0xeb, 0x0d, 0xc3], false),
            (&[0xeb, 0x0e, 0xc3], true),
            (&[0x74, 0x80, 0xc3], true),
            (&[0xe9, 0xf3, 0x0f, 0, 0], true),
            (&[0xe9, 0x01, 0, 0, 0, 0x90, 0xc3], false),
            (&[0x0f, 0x84, 0xf3, 0x0f, 0, 0, 0xc3], true),
            (&[0x41, 0xff, 0xe0], true),
            (&[0xff, 0xd0, 0xc3], false),
        ] {
            assert_eq!(may_jump_out(code, 0x1000, inside), expected, "{code:02x?}");
        }
    }

    #[test]
    fn direct_calls_give_their_target() {
        let mut code = vec![0x90; 32];
        code[8..13].copy_from_slice(&[0xe8, 0xf3, 0x0f, 0, 0]);
        assert_eq!(calls_in(&code, 0x1000).collect::<Vec<_>>(), [(0x100d, Callee::Address(0x2000))]);
    }
}

//! Calls and jumps in code of which nobody says where its instructions begin.
//!
//! In: code and its address. Out: where calls and jumps may be, and where they go. Every byte that may be the opcode of
//! one is decoded from (Intel SDM volume 2, CALL, JMP and Jcc).

use super::decode::decoded;
use crate::code::Callee;
use iced_x86::Instruction;

/// Bytes of the longest call, less a prefix.
pub const LONGEST_CALL: usize = 7;

/// The instruction at an offset in code that begins at `start`.
fn at(code: &[u8], offset: usize, start: u64) -> Option<Instruction> {
    decoded(code.get(offset..)?, start.wrapping_add(offset as u64))
}

/// What an instruction calls.
fn callee(instruction: &Instruction) -> Option<Callee> {
    if instruction.is_call_near() {
        return Some(Callee::Address(instruction.near_branch_target()));
    }
    instruction.is_call_near_indirect().then_some(Callee::Pointer)
}

/// Whether a byte is the opcode of calls.
const fn begins_call(byte: u8) -> bool {
    matches!(byte, 0xe8 | 0xff)
}

/// What the bytes before `after` call, if they end in a call.
pub fn call_before(before: &[u8; LONGEST_CALL], after: u64) -> Option<Callee> {
    let start = after.wrapping_sub(LONGEST_CALL as u64);
    let calls = |offset: usize| {
        let instruction = begins_call(before[offset]).then(|| at(before, offset, start))??;
        callee(&instruction).filter(|_| offset + instruction.len() == LONGEST_CALL)
    };
    // What goes to an address comes first, as the longer one that the compiler makes most of.
    calls(2).or_else(|| (0..LONGEST_CALL - 1).rev().find_map(calls))
}

/// The addresses behind the calls in code that begins at `start`, and what is called.
pub fn calls_in(code: &[u8], start: u64) -> impl Iterator<Item = (u64, Callee)> + '_ {
    let places = code.iter().enumerate().filter(|(_, byte)| begins_call(**byte));
    places.filter_map(move |(offset, _)| {
        let instruction = at(code, offset, start)?;
        Some((instruction.next_ip(), callee(&instruction)?))
    })
}

/// Where the jumps with a 32-bit distance in code that begins at `start` are, and where they go.
pub fn jumps_in(code: &[u8], start: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
    let places = code.iter().enumerate().filter(|(_, byte)| **byte == 0xe9);
    places.filter_map(move |(offset, _)| {
        let instruction = at(code, offset, start)?;
        instruction.is_jmp_near().then(|| (instruction.ip(), instruction.near_branch_target()))
    })
}

/// See [`crate::Code::may_jump_out`].
pub fn may_jump_out(code: &[u8], start: u64, inside: impl Fn(u64) -> bool) -> bool {
    let places =
        code.iter().enumerate().filter(|(_, b)| matches!(b, 0xe9 | 0xeb | 0x0f | 0x70..=0x7f | 0xff));
    places.filter_map(|(offset, _)| at(code, offset, start)).any(|instruction| {
        let direct = instruction.is_jmp_short_or_near() || instruction.is_jcc_short_or_near();
        instruction.is_jmp_near_indirect() || direct && !inside(instruction.near_branch_target())
    })
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
        assert_eq!(call_before(&[0x90, 0x90, 0xe8, 0, 0x10, 0, 0], 0x20), Some(Callee::Address(0x1020)));
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

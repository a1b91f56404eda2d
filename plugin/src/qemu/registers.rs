//! A vCPU's registers where QEMU keeps them.
//!
//! The plugin API gives a register as gdb would get it: in a trace of every function that takes a tenth of the replay's
//! time. Where this QEMU exports `current_cpu` (those built with modules do, as Debian's are), the place of the
//! registers in the vCPU's object is found by what the API says is in them, and used once the API has agreed with it
//! often enough.

use super::abi::current;
use super::cpu::{COUNT, Register};
use iotrace_schemas::event::KERNEL_HALF;
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a vCPU's object that are looked through; QEMU 10.0 has its registers from byte 11,200 on.
const SPAN: usize = 32 << 10;
/// How often the registers are looked for.
const TRIES: u16 = 8;
/// How often the API has to agree.
const PROOFS: u16 = 1000;
/// The places of the general registers in `env->regs`, which has them as instructions encode them (`R_EAX` to `R_R15`,
/// target/i386/cpu.h), in the order of their DWARF numbers.
const ORDER: [usize; 16] = [0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

/// Offsets in a vCPU's object, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Places {
    /// Of the general registers.
    general: usize,
    gs_base: usize,
}

/// How far the search has come.
#[derive(Debug, Clone, Copy)]
enum Search {
    /// It has failed so often.
    Failed(u16),
    /// The API has agreed so often.
    Agreed(Places, u16),
    Proved(Places),
    /// The API is asked for ever.
    GivenUp,
}

thread_local! {
    /// Of the vCPUs that run on this thread: all objects of a kind are alike.
    static SEARCH: Cell<Search> = const { Cell::new(Search::Failed(0)) };
}

/// A register's value, if it is known where it is.
pub(super) fn read(register: Register) -> Option<u64> {
    match SEARCH.get() {
        Search::Proved(places) => places.read(register),
        _ => None,
    }
}

/// The API has read a register, and reads others if asked.
pub(super) fn learn(register: Register, value: u64, others: impl Fn(Register) -> u64) {
    let next = match SEARCH.get() {
        done @ (Search::Proved(_) | Search::GivenUp) => done,
        Search::Failed(TRIES) => Search::GivenUp,
        Search::Agreed(places, _) if places.read(register) != Some(value) => Search::GivenUp,
        Search::Agreed(places, PROOFS) => Search::Proved(places),
        Search::Agreed(places, times) => Search::Agreed(places, times + 1),
        // In user mode, and before there is a kernel, registers hold what is found elsewhere too.
        failed if [Register::RSP, Register::GS_BASE].into_iter().any(|r| others(r) < KERNEL_HALF) => failed,
        Search::Failed(times) => {
            let all = std::array::from_fn(|number| others(Register::numbered(number)));
            look(&all).map_or(Search::Failed(times + 1), |found| Search::Agreed(found, 0))
        }
    };
    SEARCH.set(next);
}

/// Looks for registers in the object of the vCPU on this thread.
fn look(registers: &[u64; COUNT]) -> Option<Places> {
    let cpu = current()?.addr().get();
    let mut bytes = vec![0; SPAN];
    // Not through a pointer: the object may be smaller, and nothing behind it.
    let length = File::open("/proc/self/mem").ok()?.read_at(&mut bytes, cpu as u64).ok()?;
    let words = bytes[..length].as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word));
    find(&Vec::from_iter(words), registers)
}

/// The only place where these values can be those of the registers.
fn find(words: &[u64], registers: &[u64; COUNT]) -> Option<Places> {
    let mut general = [0; ORDER.len()];
    ORDER.iter().zip(registers).for_each(|(at, value)| general[*at] = *value);
    let gs_base = registers[Register::GS_BASE.number()];
    Some(Places {
        general: only(words.windows(general.len()).map(|part| part == general))?,
        gs_base: only(words.iter().map(|word| *word == gs_base))?,
    })
}

/// The offset of the only word that fits.
fn only(mut fits: impl Iterator<Item = bool>) -> Option<usize> {
    let at = fits.position(|fits| fits)?;
    (!fits.any(|fits| fits)).then_some(at * size_of::<u64>())
}

impl Places {
    fn read(self, register: Register) -> Option<u64> {
        let offset = match ORDER.get(register.number()) {
            Some(at) => self.general + at * size_of::<u64>(),
            None => self.gs_base,
        };
        let cpu = current()?;
        // SAFETY: it is the object of the vCPU in execution on this thread, which alone changes its registers; the offset
        // is that of a word of such objects, at which `look` found what was looked for.
        let word = unsafe { AtomicU64::from_ptr(cpu.byte_add(offset).cast().as_ptr()) };
        Some(word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with its registers from word 5 on and GS at word 30.
    fn object() -> ([u64; 40], [u64; COUNT]) {
        let registers = std::array::from_fn(|number| 0x1000 + number as u64);
        let mut words = [0; 40];
        ORDER.iter().zip(registers).for_each(|(at, value)| words[5 + at] = value);
        words[30] = registers[Register::GS_BASE.number()];
        (words, registers)
    }

    #[test]
    fn registers_are_found_by_their_values() {
        let (words, registers) = object();
        assert_eq!(words[5 + 4], registers[Register::RSP.number()]);
        assert_eq!(find(&words, &registers), Some(Places { general: 40, gs_base: 240 }));
        assert_eq!(find(&words[..35], &registers), Some(Places { general: 40, gs_base: 240 }));
    }

    #[test]
    fn what_may_be_in_two_places_is_in_none() {
        let (mut words, registers) = object();
        words[35] = words[30];
        assert_eq!(find(&words, &registers), None);
        let (mut words, registers) = object();
        words[6] += 1;
        assert_eq!(find(&words, &registers), None);
        assert_eq!(find(&[7; 40], &[7; COUNT]), None);
        assert_eq!(find(&[], &registers), None);
    }
}

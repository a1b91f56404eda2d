//! A vCPU's registers where QEMU keeps them.
//!
//! The plugin API gives a register as gdb would get it: in a trace of every function that takes a tenth of the replay's
//! time. Where this QEMU exports `current_cpu` (those built with modules do, as Debian's are), the place of the
//! registers in the vCPU's object is found by what the API says is in them, and used once the API has agreed with it
//! often enough. It is asked again now and then ([`verify`]): where it does not agree, it is asked for ever.

use super::abi::current;
use super::agreement::{PrivateRead, disagrees};
use iotrace_arch::{Arch, Reg, Registers};
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
/// Offsets in a vCPU's object, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Places {
    /// Of the general registers.
    general: usize,
    /// Of the base of the per-CPU data.
    per_cpu: usize,
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
pub(super) fn read(register: Reg, arch: &Arch) -> Option<u64> {
    match SEARCH.get() {
        Search::Proved(places) => places.read(register, &arch.registers),
        _ => None,
    }
}

/// The API has read a register, and reads others if asked.
pub(super) fn learn(register: Reg, value: u64, arch: &Arch, others: impl Fn(Reg) -> u64) {
    let registers = &arch.registers;
    let next = match SEARCH.get() {
        done @ (Search::Proved(_) | Search::GivenUp) => done,
        Search::Failed(TRIES) if current().is_some() => give_up(),
        Search::Failed(TRIES) => Search::GivenUp,
        Search::Agreed(places, _) if places.read(register, registers) != Some(value) => give_up(),
        Search::Agreed(places, PROOFS) => Search::Proved(places),
        Search::Agreed(places, times) => Search::Agreed(places, times + 1),
        // In user mode, and before there is a kernel, registers hold what is found elsewhere too.
        failed
            if [registers.stack, registers.per_cpu]
                .into_iter()
                .any(|r| !arch.memory.is_kernel(others(r))) =>
        {
            failed
        }
        Search::Failed(times) => {
            let all = (0..registers.names.len()).map(|number| others(Reg::new(number as u8)));
            look(&Vec::from_iter(all), registers)
                .map_or(Search::Failed(times + 1), |found| Search::Agreed(found, 0))
        }
    };
    SEARCH.set(next);
}

/// Compares all registers with what the API reads, if they are read without it.
pub(super) fn verify(arch: &Arch, ask: impl Fn(Reg) -> Option<u64>) {
    let Search::Proved(places) = SEARCH.get() else { return };
    let differs =
        |register| ask(register).is_some_and(|value| places.read(register, &arch.registers) != Some(value));
    if (0..arch.registers.names.len()).map(|number| Reg::new(number as u8)).any(differs) {
        SEARCH.set(give_up());
    }
}

/// They are not to be found, or the API does not agree.
fn give_up() -> Search {
    disagrees(PrivateRead::Registers);
    Search::GivenUp
}

/// Looks for registers in the object of the vCPU on this thread.
fn look(values: &[u64], registers: &Registers) -> Option<Places> {
    let cpu = current()?.addr().get();
    let mut bytes = vec![0; SPAN];
    // Not through a pointer: the object may be smaller, and nothing behind it.
    let length = File::open("/proc/self/mem").ok()?.read_at(&mut bytes, cpu as u64).ok()?;
    let words = bytes[..length].as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word));
    find(&Vec::from_iter(words), values, registers)
}

/// The only place where these values can be those of the registers.
fn find(words: &[u64], values: &[u64], registers: &Registers) -> Option<Places> {
    let mut general = vec![0; registers.general()];
    registers.in_qemu.iter().zip(values).for_each(|(at, value)| general[usize::from(*at)] = *value);
    let per_cpu = values.get(usize::from(registers.per_cpu.number()))?;
    Some(Places {
        general: only(words.windows(general.len()).map(|part| part == general))?,
        per_cpu: only(words.iter().map(|word| word == per_cpu))?,
    })
}

/// The offset of the only word that fits.
fn only(mut fits: impl Iterator<Item = bool>) -> Option<usize> {
    let at = fits.position(|fits| fits)?;
    (!fits.any(|fits| fits)).then_some(at * size_of::<u64>())
}

impl Places {
    fn read(self, register: Reg, registers: &Registers) -> Option<u64> {
        let offset = match registers.in_qemu.get(usize::from(register.number())) {
            Some(at) => self.general + usize::from(*at) * size_of::<u64>(),
            None => self.per_cpu,
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
    use iotrace_arch::FIRST;

    const REGISTERS: &Registers = &FIRST.registers;

    /// An object with its general registers from word 5 on and the base of the per-CPU data at word 30, and the values
    /// by the numbers of the registers.
    fn object() -> ([u64; 40], Vec<u64>) {
        let values = Vec::from_iter((0x1000..).take(REGISTERS.names.len()));
        let mut words = [0; 40];
        REGISTERS.in_qemu.iter().zip(&values).for_each(|(at, value)| words[5 + usize::from(*at)] = *value);
        words[30] = values[usize::from(REGISTERS.per_cpu.number())];
        (words, values)
    }

    #[test]
    fn registers_are_found_by_their_values() {
        let (words, values) = object();
        assert_eq!(words[5 + 4], values[usize::from(REGISTERS.stack.number())]);
        assert_eq!(find(&words, &values, REGISTERS), Some(Places { general: 40, per_cpu: 240 }));
        assert_eq!(find(&words[..35], &values, REGISTERS), Some(Places { general: 40, per_cpu: 240 }));
    }

    #[test]
    fn what_may_be_in_two_places_is_in_none() {
        let (mut words, values) = object();
        words[35] = words[30];
        assert_eq!(find(&words, &values, REGISTERS), None);
        let (mut words, values) = object();
        words[6] += 1;
        assert_eq!(find(&words, &values, REGISTERS), None);
        assert_eq!(find(&[7; 40], &vec![7; values.len()], REGISTERS), None);
        assert_eq!(find(&[], &values, REGISTERS), None);
    }
}

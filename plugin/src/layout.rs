//! How records lie in a vCPU's buffer, between the probe that was hit and the thread that encodes.
//!
//! In: events. Out: words of 64 bits, of one record after another, and the events again.
//!
//! ```text
//! word 0   kind: bits 0 to 15; number of the event's own words: bits 16 to 31; context: bits 32 to 63
//! word 1   clock
//! word 2   task
//! word 3   stack pointer
//! word 4   the event's own words
//! ```
//!
//! The vCPU is the buffer's.

use iotrace_format::event::{Event, MAX_WORDS};

/// Words before an event's own.
const HEADER: usize = 4;

const _: () = assert!(MAX_WORDS <= u16::MAX as usize, "the number of an event's words has 16 bits");

/// Words of a record with as many of the event's own.
pub const fn length(words: usize) -> usize {
    HEADER + words
}

/// Appends an event to a buffer that has room for it.
#[inline]
pub fn append(buffer: &mut Vec<u64>, event: &Event<'_>) {
    let Event { kind, clock, context, task, stack, words, .. } = *event;
    let first = u64::from(kind) | (words.len() as u64 & 0xffff) << 16 | u64::from(context) << 32;
    buffer.extend_from_slice(&[first, clock, task, stack]);
    buffer.extend_from_slice(words);
}

/// The events of a vCPU's buffer, up to its last whole record.
pub fn events(vcpu: u16, buffer: &[u64]) -> impl Iterator<Item = Event<'_>> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        let (&[first, clock, task, stack], after) = rest.split_first_chunk::<HEADER>()?;
        let length = (first >> 16 & 0xffff) as usize;
        let (words, after) = after.split_at_checked(length)?;
        rest = after;
        Some(Event { kind: first as u16, vcpu, clock, context: (first >> 32) as u32, task, stack, words })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events at the limits of their fields, and some between.
    fn samples(words: &[u64]) -> Vec<Event<'_>> {
        let first =
            Event { kind: 64, vcpu: 3, clock: 100, context: 7, task: 1, stack: 8, words: &words[..2] };
        vec![
            first,
            Event { kind: 0, clock: 0, context: 0, task: 0, stack: 0, words: &[], ..first },
            Event { kind: u16::MAX, context: 0, words: &words[..1], ..first },
            Event { kind: 0, context: u32::MAX, words: &words[..3], ..first },
            Event { clock: u64::MAX, task: u64::MAX, stack: u64::MAX, words, ..first },
            Event { words: &[], ..first },
        ]
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let words: [u64; MAX_WORDS] = std::array::from_fn(|at| u64::MAX - at as u64);
        let (samples, mut buffer, mut expected) = (samples(&words), Vec::new(), 0);
        for event in &samples {
            append(&mut buffer, event);
            expected += length(event.words.len());
            assert_eq!(buffer.len(), expected);
        }
        assert_eq!(Vec::from_iter(events(3, &buffer)), samples);
        // A buffer that ends anywhere gives its whole records and no more.
        let ends = samples.iter().scan(0, |end, event| {
            *end += length(event.words.len());
            Some(*end)
        });
        let ends = Vec::from_iter(ends);
        for cut in 0..=buffer.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(Vec::from_iter(events(3, &buffer[..cut])), samples[..whole], "{cut} words");
        }
    }

    #[test]
    fn the_first_word_is_as_described() {
        let mut buffer = Vec::new();
        append(&mut buffer, &samples(&[10, 20, 30])[0]);
        assert_eq!(buffer, [64 | 2 << 16 | 7 << 32, 100, 1, 8, 10, 20]);
    }
}

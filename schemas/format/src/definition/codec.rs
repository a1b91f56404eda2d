//! Definitions to bytes and back. The only module of the format that calls bincode.
//!
//! In: definitions. Out: for each, `tag: u16, length: u32, body`, all little-endian. The body is
//! bincode's fixed-int little-endian layout, which FORMAT.md spells out, so that another encoder can
//! take its place without changing a byte.

use super::{Definition, Layout, TraceInfo};
use bincode::Decode;
use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::error::DecodeError;
use thiserror::Error;

/// Largest body that is decoded, in bytes: nothing in a file makes the reader allocate more.
const MAX_BODY: usize = 1 << 20;
const HEAD: usize = 6;

const LAYOUT: Configuration<LittleEndian, Fixint, Limit<MAX_BODY>> =
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MAX_BODY>();

/// Why definitions could not be read or written.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// The bytes end in the middle of a definition.
    #[error("definition at offset {offset}: {needed} bytes needed, {available} available")]
    Truncated {
        /// Offset of the definition in the metadata.
        offset: usize,
        /// Bytes it needs from there.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// A body is not what its tag says.
    #[error("definition at offset {offset} (tag {tag}) malformed: {reason}")]
    Malformed {
        /// Offset of the definition in the metadata.
        offset: usize,
        /// Its tag.
        tag: u16,
        /// What the decoder said.
        reason: String,
    },
    /// A definition is too large to be stored.
    #[error("cannot encode definition of tag {tag}: {reason}")]
    Encode {
        /// Its tag.
        tag: u16,
        /// What the encoder said.
        reason: String,
    },
}

/// Tags that were skipped because this version does not know them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Skipped(pub Vec<u16>);

/// Appends the encoding of `definition` to `out`.
///
/// # Errors
/// [`DefinitionError::Encode`] if the body exceeds 1 MiB; `out` is then as it was.
pub fn encode(definition: &Definition, out: &mut Vec<u8>) -> Result<(), DefinitionError> {
    let tag = tag(definition);
    let body = body(definition).map_err(|e| DefinitionError::Encode { tag, reason: e.to_string() })?;
    if body.len() > MAX_BODY {
        let reason = format!("{} bytes, at most {MAX_BODY} are allowed", body.len());
        return Err(DefinitionError::Encode { tag, reason });
    }
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// Decodes a run of definitions, skipping those of unknown tags.
///
/// # Errors
/// [`DefinitionError::Truncated`] or [`DefinitionError::Malformed`], with the offset.
pub fn decode_all(bytes: &[u8]) -> Result<(Vec<Definition>, Skipped), DefinitionError> {
    let (mut definitions, mut skipped, mut offset) = (Vec::new(), Skipped::default(), 0);
    while offset < bytes.len() {
        let (tag, body) = split(bytes, offset)?;
        match decode(tag, body) {
            Ok(Some(definition)) => definitions.push(definition),
            Ok(None) => skipped.0.push(tag),
            Err(e) => return Err(DefinitionError::Malformed { offset, tag, reason: e.to_string() }),
        }
        offset += HEAD + body.len();
    }
    Ok((definitions, skipped))
}

fn split(bytes: &[u8], offset: usize) -> Result<(u16, &[u8]), DefinitionError> {
    let rest = &bytes[offset..];
    let truncated = |needed| DefinitionError::Truncated { offset, needed, available: rest.len() };
    let (head, body) = rest.split_first_chunk::<HEAD>().ok_or(truncated(HEAD))?;
    let tag = u16::from_le_bytes([head[0], head[1]]);
    let length = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
    let body = body.get(..length).ok_or(truncated(HEAD + length))?;
    Ok((tag, body))
}

macro_rules! definitions {
    ($($tag:literal => $variant:ident($read:ident)),+ $(,)?) => {
        fn tag(definition: &Definition) -> u16 {
            match definition { $(Definition::$variant(_) => $tag),+ }
        }

        fn body(definition: &Definition) -> Result<Vec<u8>, bincode::error::EncodeError> {
            match definition { $(Definition::$variant(d) => bincode::encode_to_vec(d, LAYOUT)),+ }
        }

        fn decode(tag: u16, body: &[u8]) -> Result<Option<Definition>, DecodeError> {
            Ok(match tag {
                $($tag => Some(Definition::$variant($read(body)?)),)+
                _ => None,
            })
        }
    };
}

definitions! {
    1 => Trace(trace),
    2 => Kind(whole),
    3 => Probe(whole),
    4 => Module(whole),
    5 => Symbol(whole),
    6 => Device(whole),
    7 => Note(whole),
    8 => Constant(whole),
    9 => Site(whole),
    10 => Numbers(whole),
    11 => HandOff(whole),
    12 => Begin(whole),
}

/// A body as its type says.
fn whole<T: Decode<()>>(body: &[u8]) -> Result<T, DecodeError> {
    Ok(bincode::decode_from_slice(body, LAYOUT)?.0)
}

/// Of the first writers it ends before the kernel's layout.
fn trace(body: &[u8]) -> Result<TraceInfo, DecodeError> {
    let (first, length) = bincode::decode_from_slice(body, LAYOUT)?;
    let (writer, target, plugin_api, vcpus, icount_shift, banner, build_id, slide, notes) = first;
    let layout = match &body[length..] {
        [] => Layout::default(),
        rest => whole(rest)?,
    };
    if !layout.is_sound() {
        return Err(DecodeError::OtherString(format!("impossible kernel layout: {layout:x?}")));
    }
    Ok(TraceInfo { writer, target, plugin_api, vcpus, icount_shift, banner, build_id, slide, notes, layout })
}

#[cfg(test)]
mod tests {
    use super::super::{
        CallCost, HandOffPoint, HandOffTarget, Note, ObjectKind, ObjectNumber, OriginStep, OriginTask,
        PartBegin, PendingHandOff, RunningTask, Severity,
    };
    use super::*;
    use proptest::prelude::*;

    fn note() -> Definition {
        Definition::Note(Note { severity: Severity::Warning, topic: "t".into(), text: "x".into() })
    }

    #[test]
    fn layout_is_the_documented_one() {
        let mut bytes = Vec::new();
        encode(&note(), &mut bytes).unwrap();
        let expected = [
            7, 0, 22, 0, 0, 0, // tag, length
            1, 0, 0, 0, // severity: second variant
            1, 0, 0, 0, 0, 0, 0, 0, b't', // topic
            1, 0, 0, 0, 0, 0, 0, 0, b'x', // text
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_a_part_states_survives() {
        let origin = OriginTask { address: 1, pid: 2, tgid: 3, comm: (4, 5) };
        let hand_off = PendingHandOff {
            event: 9,
            target: HandOffTarget::Task,
            key: 7,
            vcpu: 1,
            from: HandOffPoint { clock: 3, event: 4, call: Some(5), root: None, task: 6, context: 0x100 },
            begun: true,
            waker: vec!["f".into()],
            origin: vec![OriginStep::Work(8, origin), OriginStep::Syscall(1, "write".into(), origin)],
        };
        let number = ObjectNumber { event: 9, object: ObjectKind::Request, number: 3 };
        let all = [
            Definition::Begin(PartBegin {
                event: 9,
                running: vec![RunningTask { vcpu: 1, task: 2, clock: 3 }],
                calls: vec![CallCost { task: 1, call: 2, own: 3, nested: 4 }],
            }),
            Definition::HandOff(hand_off),
            Definition::Numbers(vec![number]),
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|definition| encode(definition, &mut bytes).unwrap());
        assert_eq!(decode_all(&bytes).unwrap(), (all.to_vec(), Skipped::default()));
        let mut bytes = Vec::new();
        encode(&all[2], &mut bytes).unwrap();
        let expected = [
            10, 0, 28, 0, 0, 0, // tag, length
            1, 0, 0, 0, 0, 0, 0, 0, // one of them
            9, 0, 0, 0, 0, 0, 0, 0, // event
            2, 0, 0, 0, // a request: the third alternative
            3, 0, 0, 0, 0, 0, 0, 0, // number
        ];
        assert_eq!(bytes, expected);
    }

    /// A trace's definition, its body as this changes it.
    fn changed(layout: Layout, change: impl FnOnce(&mut Vec<u8>)) -> Result<Layout, DefinitionError> {
        let (mut whole, info) = (Vec::new(), TraceInfo { vcpus: 2, layout, ..TraceInfo::default() });
        encode(&Definition::Trace(info), &mut whole).unwrap();
        let mut body = whole.split_off(HEAD);
        change(&mut body);
        let mut bytes = vec![1, 0];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        match &decode_all(&bytes)?.0[..] {
            [Definition::Trace(TraceInfo { vcpus: 2, layout, .. })] => Ok(*layout),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_trace_that_does_not_say_the_kernels_layout_has_that_of_the_first_architecture() {
        let layout = Layout { page_shift: 16, stack_size: 1 << 16, kernel_start: 1 << 63 };
        assert_eq!(changed(layout, |_| {}), Ok(layout));
        assert_eq!(changed(layout, |body| body.extend([1, 2, 3])), Ok(layout));
        assert_eq!(changed(layout, |body| body.truncate(body.len() - 17)), Ok(Layout::default()));
        assert!(changed(layout, |body| body.truncate(body.len() - 3)).is_err());
    }

    #[test]
    fn a_layout_that_no_kernel_has_is_an_error() {
        for (page_shift, stack_size) in [(64, 1 << 14), (12, 0), (12, 10_000)] {
            let layout = Layout { page_shift, stack_size, ..Layout::default() };
            let error = changed(layout, |_| {}).unwrap_err().to_string();
            assert!(error.contains("impossible kernel layout"), "{error}");
        }
    }

    #[test]
    fn unknown_tags_are_skipped_and_told() {
        let mut bytes = vec![0xff, 0x7f, 2, 0, 0, 0, 1, 2];
        encode(&note(), &mut bytes).unwrap();
        let (definitions, skipped) = decode_all(&bytes).unwrap();
        assert_eq!((definitions, skipped), (vec![note()], Skipped(vec![0x7fff])));
    }

    #[test]
    fn a_body_may_grow_at_its_end() {
        let mut bytes = Vec::new();
        encode(&note(), &mut bytes).unwrap();
        bytes.extend([9, 9]);
        bytes[2] += 2;
        assert_eq!(decode_all(&bytes).unwrap().0, vec![note()]);
    }

    #[test]
    fn a_cut_definition_is_an_error_with_numbers() {
        let mut bytes = Vec::new();
        encode(&note(), &mut bytes).unwrap();
        let error = decode_all(&bytes[..20]).unwrap_err();
        assert_eq!(error, DefinitionError::Truncated { offset: 0, needed: 28, available: 20 });
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_all(&bytes);
        }
    }
}

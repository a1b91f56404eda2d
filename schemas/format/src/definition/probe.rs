//! A probe's body in the file.
//!
//! Stages and roles stand there by name. A name that this version does not know is none to it: what it tells is left to
//! readers that know it. Label and roles were added at the body's end: where they are missing, roles are those that the
//! names of words stood for. Behind them the type of what a function returns was added, and behind that whether its events
//! were inserted: to readers that do not know it, it is an inlined instance, which is no call either.

use super::{At, Probe, ReturnType, Success};
use crate::layer::Layer;
use crate::role::Role;
use crate::stage::Stage;
use bincode::de::Decoder;
use bincode::de::read::Reader;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

/// What was always there.
type Head = (u16, At, String, String, Option<String>, u64, Layer);
type Rest = (String, String, u32, Vec<String>, Option<Success>, Vec<String>);

impl Encode for Probe {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.id, self.at, &self.function, &self.symbol, &self.module, self.address, self.layer)
            .encode(encoder)?;
        let stage = self.stage.as_ref().map(Stage::to_string).unwrap_or_default();
        (stage, &self.file, self.line, &self.words, self.success, &self.inside).encode(encoder)?;
        let roles = self.roles.iter().map(|role| role.map_or("", Role::name));
        (&self.label, Vec::from_iter(roles)).encode(encoder)?;
        self.returns.map_or("", ReturnType::name).encode(encoder)?;
        if self.at == At::Inserted { true.encode(encoder) } else { Ok(()) }
    }
}

/// As the first readers know it.
impl Encode for At {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let number: u32 = match self {
            Self::Entry => 0,
            Self::Exit => 1,
            Self::Inlined | Self::Inserted => 2,
        };
        number.encode(encoder)
    }
}

impl<C> Decode<C> for At {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u32::decode(decoder)? {
            0 => Ok(Self::Entry),
            1 => Ok(Self::Exit),
            2 => Ok(Self::Inlined),
            other => Err(DecodeError::OtherString(format!("unknown place {other} of a probe"))),
        }
    }
}

impl<C> Decode<C> for Probe {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (id, at, function, symbol, module, address, layer) = Head::decode(decoder)?;
        let (stage, file, line, words, success, inside) = Rest::decode(decoder)?;
        let (stage, label, roles) = if decoder.reader().peek_read(1).is_some() {
            let (label, roles) = <(String, Vec<String>)>::decode(decoder)?;
            let known = Stage::named(&stage);
            let label = if known.is_none() && label.is_empty() { stage } else { label };
            (known, label, roles.iter().map(|name| Role::named(name)).collect())
        } else {
            let known = by_name::stage(&stage);
            let label = if known.is_none() { stage } else { String::new() };
            let roles = by_name::roles(&words, known.as_ref());
            (known, label, roles)
        };
        let returns = match decoder.reader().peek_read(1) {
            Some(_) => ReturnType::named(&String::decode(decoder)?),
            None => None,
        };
        let is_inserted = decoder.reader().peek_read(1).is_some() && bool::decode(decoder)?;
        let at = if is_inserted { At::Inserted } else { at };
        Ok(Self {
            id,
            at,
            function,
            symbol,
            module,
            address,
            layer,
            stage,
            label,
            file,
            line,
            words,
            roles,
            success,
            returns,
            inside,
        })
    }
}

bincode::impl_borrow_decode!(Probe);

/// What names stood for before probes had labels and roles.
pub mod by_name {
    use crate::role::Role;
    use crate::stage::Stage;

    /// The stage of this name.
    #[must_use]
    pub fn stage(name: &str) -> Option<Stage> {
        match name {
            "lock" => Some(Stage::Lock("unknown".into())),
            _ => Stage::named(name),
        }
    }

    /// The role of a word of this name, of a probe with this stage.
    #[must_use]
    pub fn role(word: &str, stage: Option<&Stage>) -> Option<Role> {
        match (word, stage) {
            ("cmd.rq" | "data.rq" | "ccb.rq", _) => Some(Role::Request),
            ("ccb.cmd", _) => Some(Role::Command),
            ("nr", _) => Some(Role::SoftirqNumber),
            ("next", Some(Stage::TaskSwitch)) => Some(Role::NextTask),
            _ => Role::of_word(word, Role::usually),
        }
    }

    /// The roles of words of these names.
    #[must_use]
    pub fn roles(words: &[String], stage: Option<&Stage>) -> Vec<Option<Role>> {
        words.iter().map(|word| role(word, stage)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Definition, decode_all, encode};
    use super::*;

    fn probe(stage: &str, label: &str, words: &[&str], roles: &[Option<Role>]) -> Probe {
        Probe {
            id: 64,
            stage: Stage::parse(stage).ok(),
            label: label.into(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            roles: roles.to_vec(),
            ..Probe::default()
        }
    }

    fn encoded(probe: &Probe) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&Definition::Probe(probe.clone()), &mut bytes).unwrap();
        bytes
    }

    fn decoded(bytes: &[u8]) -> Probe {
        match decode_all(bytes).unwrap().0.pop() {
            Some(Definition::Probe(probe)) => probe,
            other => panic!("{other:?}"),
        }
    }

    /// The bytes without label, roles and type, as they were written before.
    fn before(probe: &Probe) -> Vec<u8> {
        let label = 8 + probe.label.len();
        let roles = 8 + probe.roles.iter().map(|r| 8 + r.map_or(0, |r| r.name().len())).sum::<usize>();
        shortened(probe, label + roles + returns(probe))
    }

    /// Bytes of the type that a function returns.
    fn returns(probe: &Probe) -> usize {
        8 + probe.returns.map_or(0, |of| of.name().len())
    }

    /// The bytes without those that were added at the end.
    fn shortened(probe: &Probe, added: usize) -> Vec<u8> {
        let mut bytes = encoded(probe);
        bytes.truncate(bytes.len() - added);
        let length = (bytes.len() - 6) as u32;
        bytes[2..6].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    #[test]
    fn stages_and_roles_stand_in_the_file_by_name() {
        let probe = probe(
            "cmd.dispatch",
            "",
            &["iod", "iod.rq", "size"],
            &[Some(Role::Command), Some(Role::Request), None],
        );
        assert_eq!(decoded(&encoded(&probe)), probe);
        assert!(encoded(&probe).windows(12).any(|part| part == b"cmd.dispatch"));
    }

    #[test]
    fn a_function_returns_what_the_body_says_at_its_end() {
        for returns in ReturnType::ALL.iter().copied().map(Some).chain([None]) {
            let roles = [Some(Role::Request)];
            let probe = Probe { at: At::Exit, returns, ..probe("rq.issue", "", &["rq"], &roles) };
            assert_eq!(decoded(&encoded(&probe)), probe);
            // Before, it ended behind the roles.
            let unknown = Probe { returns: None, ..probe.clone() };
            assert_eq!(decoded(&shortened(&probe, self::returns(&probe))), unknown);
        }
    }

    #[test]
    fn a_return_type_that_is_not_known_is_none() {
        let probe = Probe { returns: Some(ReturnType::S32), ..probe("rq.issue", "", &[], &[]) };
        let mut bytes = encoded(&probe);
        let at = bytes.len() - 3;
        assert_eq!(&bytes[at..], b"s32");
        bytes[at..].copy_from_slice(b"f32");
        assert_eq!(decoded(&bytes), Probe { returns: None, ..probe });
    }

    #[test]
    fn what_was_inserted_is_an_inlined_instance_to_older_readers() {
        let inside = vec!["submit_bio block/blk-core.c:1".to_owned()];
        let inserted =
            Probe { at: At::Inserted, inside, ..probe("", "", &["pos"], &[Some(Role::AnswerUnsigned)]) };
        let bytes = encoded(&inserted);
        assert_eq!(decoded(&bytes), inserted);
        assert_eq!(bytes[6 + 2..6 + 2 + 4], [2, 0, 0, 0]);
        assert_eq!(decoded(&shortened(&inserted, 1)), Probe { at: At::Inlined, ..inserted.clone() });
        // A place of another number is no probe.
        let mut other = bytes;
        other[6 + 2] = 3;
        assert!(decode_all(&other).unwrap_err().to_string().contains("unknown place 3 of a probe"));
    }

    #[test]
    fn names_that_are_not_known_are_none() {
        let mut bytes = encoded(&probe("rq.issue", "", &["rq"], &[Some(Role::Request)]));
        for (name, other) in [(&b"rq.issue"[..], &b"rq.other"[..]), (b"request", b"another")] {
            let at = bytes.windows(name.len()).position(|part| part == name).unwrap();
            bytes[at..at + name.len()].copy_from_slice(other);
        }
        assert_eq!(decoded(&bytes), probe("", "rq.other", &["rq"], &[None]));
    }

    #[test]
    fn where_there_are_no_roles_the_names_of_words_tell_them() {
        let words = ["caller", "cmd", "cmd.rq", "x"];
        let roles = [Some(Role::Caller), Some(Role::Command), Some(Role::Request), None];
        let dispatch = probe("cmd.dispatch", "", &words, &roles);
        assert_eq!(decoded(&before(&dispatch)), dispatch);
        let switch =
            probe("task.switch", "", &["prev", "next"], &[Some(Role::PreviousTask), Some(Role::NextTask)]);
        assert_eq!(decoded(&before(&switch)), switch);
    }
}

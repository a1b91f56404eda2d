//! The document that `scripts/ask --format json` prints (schemas/ask.schema.json).
//!
//! In: a file. Out: answers, or what is wrong with it and where, by line and column. Keys that are not known are passed over:
//! a later version may add some.

use anyhow::{Context, Result, bail};
use iotrace::rewrite::Answer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a document: those of some 500,000 answers.
const MOST_BYTES: u64 = 256 << 20;
/// Most fields of an answer; more than an event can have.
const MOST_FIELDS: usize = 256;
/// The version of the document.
const VERSION: u64 = 1;

#[derive(serde::Deserialize)]
struct AskDocument {
    schema_version: u64,
    answers: Vec<AskAnswer>,
}

#[derive(serde::Deserialize)]
struct AskAnswer {
    clock: u64,
    place: String,
    task: AskTask,
    vcpu: u16,
    context: Option<u32>,
    stack_pointer: AskAddress,
    fields: AskFields,
    stack: Vec<String>,
}

#[derive(serde::Deserialize)]
struct AskTask {
    address: AskAddress,
}

/// An address, written as in the documents of this program: `"0xffff888000001000"`.
struct AskAddress(u64);

impl<'de> Deserialize<'de> for AskAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        value
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("invalid address {text:?}: expected 0x and digits")))
    }
}

/// Names and texts, in the order of the document.
struct AskFields(Vec<(String, String)>);

impl<'de> Deserialize<'de> for AskFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = AskFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AskFields, A::Error> {
                let mut fields: Vec<(String, String)> = Vec::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("field {name:?} is there twice")));
                    }
                    if fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom(format!("more than {MOST_FIELDS} fields")));
                    }
                    fields.push((name, text));
                }
                Ok(AskFields(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl From<AskAnswer> for Answer {
    fn from(of: AskAnswer) -> Self {
        let AskAnswer { clock, place, task, vcpu, context, stack_pointer, fields, stack } = of;
        Self {
            clock,
            place,
            vcpu,
            context,
            task: task.address.0,
            stack: stack_pointer.0,
            fields: fields.0,
            callers: stack,
        }
    }
}

/// The answers in a file.
///
/// # Errors
/// If it cannot be read, or is no such document.
pub fn read(path: &Path) -> Result<Vec<Answer>> {
    let failed = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{} has more than {MOST_BYTES} bytes: limit the answers (scripts/ask --limit)", path.display());
    }
    parse(&bytes).with_context(|| format!("{} is not what scripts/ask --format json prints", path.display()))
}

fn parse(bytes: &[u8]) -> Result<Vec<Answer>> {
    let document: AskDocument = serde_json::from_slice(bytes)?;
    if document.schema_version != VERSION {
        bail!("schema_version is {}, expected {VERSION}", document.schema_version);
    }
    Ok(document.answers.into_iter().map(Answer::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{
        "clock": 100, "place": "vfs_write", "task": {"comm": "dd", "pid": 42, "address": "0xffff888000001000"},
        "vcpu": 0, "context": 256, "stack_pointer": "0x10", "io": 1, "file": null, "bios": [],
        "fields": {"zeta": "59", "alpha": "x"}, "numbers": {"zeta": 59}, "stack": ["ksys_write fs/read_write.c:1"]
    }"#;

    fn document(answer: &str) -> String {
        format!("{{\"schema_version\": 1, \"answers\": [{answer}]}}")
    }

    fn complaint(text: &str) -> String {
        format!("{:#}", parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn fields_keep_their_order() {
        let fields = [("zeta", "59"), ("alpha", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let expected = Answer {
            clock: 100,
            place: "vfs_write".into(),
            vcpu: 0,
            context: Some(256),
            task: 0xffff_8880_0000_1000,
            stack: 0x10,
            fields: fields.to_vec(),
            callers: vec!["ksys_write fs/read_write.c:1".into()],
        };
        assert_eq!(parse(document(ANSWER).as_bytes()).unwrap(), std::slice::from_ref(&expected));
        let unknown = document(&ANSWER.replace("256", "null"));
        assert_eq!(parse(unknown.as_bytes()).unwrap(), [Answer { context: None, ..expected }]);
    }

    #[test]
    fn any_bytes_are_answers_or_an_error() {
        let text = document(ANSWER);
        for at in 0..text.len() {
            assert!(parse(&text.as_bytes()[..at]).is_err(), "cut at {at}");
            for byte in [b'"', b'{', b'[', b'\\', b'9', 0, 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                drop(parse(&bytes));
            }
        }
        assert!(complaint(&"[".repeat(100_000)).contains("line 1"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (from, to, reason) in [
            ("\"clock\": 100,", "", "missing field `clock` at line 5"),
            ("100", "-1", "invalid value: integer `-1`, expected u64 at line 2 column 19"),
            ("256", "4294967296", "expected u32 at line 3"),
            ("0xffff888000001000", "12", "invalid address \"12\": expected 0x and digits at line 2"),
            ("0x10", "0x10000000000000000", "invalid address"),
            ("alpha", "zeta", "field \"zeta\" is there twice at line 4"),
            ("\"59\"", "59", "invalid type: integer `59`, expected a string at line 4"),
            ("\"stack\": [", "\"stack\": [[", "invalid type: sequence, expected a string at line 4"),
        ] {
            let text = document(&ANSWER.replacen(from, to, 1));
            assert!(complaint(&text).contains(reason), "{}", complaint(&text));
        }
        let many = (0..300).map(|at| format!("\"f{at}\": \"\"")).collect::<Vec<_>>().join(",");
        let many = document(&ANSWER.replace("\"zeta\": \"59\"", &many));
        assert!(complaint(&many).contains("more than 256 fields at line 4"), "{}", complaint(&many));
        assert_eq!(complaint("{\"schema_version\": 2, \"answers\": []}"), "schema_version is 2, expected 1");
        assert!(complaint("").contains("EOF while parsing a value at line 1 column 0"));
        assert!(complaint(&document("\"\u{7f}")).contains("line 1"));
    }
}

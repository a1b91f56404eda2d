//! Texts that answer questions (`scripts/ask`), as words of events have them.
//!
//! A text has a word for each 8 bytes: those of a field `old` are `old[0]`, `old[1]` and so on, the rest of the last one is 0.

use super::meaning::Meaning;
use super::{FieldForm, FieldText};
use crate::model::name_of_words;
use iotrace_format::definition::{At, Probe};

/// Name of the word with a part of a text, from 0.
#[must_use]
pub fn part_name(field: &str, part: usize) -> String {
    format!("{field}[{part}]")
}

/// The field that a word's name is a part of, and which part, if it says so.
fn field_of(word: &str) -> (&str, Option<usize>) {
    let found = word.strip_suffix(']').and_then(|word| word.rsplit_once('['));
    let part = found.and_then(|(field, part)| Some((field, Some(part.parse().ok()?))));
    part.unwrap_or((word, None))
}

/// How many words behind the first one have further parts of its text.
pub fn more_parts(words: &[(String, Meaning)]) -> usize {
    let [(first, _), more @ ..] = words else { return 0 };
    let (field, _) = field_of(first);
    let follows = |at: usize, word: &str| field_of(word) == (field, Some(at + 1));
    let is_part = |(at, (name, meaning)): &(usize, &(String, Meaning))| {
        *meaning == Meaning::AnsweredText && follows(*at, name)
    };
    more.iter().enumerate().take_while(is_part).count()
}

/// The text in the place of its words.
pub fn field(first: &str, parts: &[u64]) -> FieldText<'static> {
    let (name, _) = field_of(first);
    FieldText {
        name: name.to_owned().into(),
        value: parts.first().copied().unwrap_or(0),
        text: name_of_words(parts.iter().copied()).into(),
        form: FieldForm::Decoded,
    }
}

/// The callers at the place of a question, if they were asked for: as a field of each event of that probe.
pub fn callers(probe: &Probe) -> Option<FieldText<'static>> {
    (probe.at == At::Inserted && !probe.inside.is_empty()).then(|| FieldText {
        name: "callers".into(),
        value: 0,
        text: probe.inside.join(" ← ").into(),
        form: FieldForm::Decoded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(names: &[&str]) -> Vec<(String, Meaning)> {
        names.iter().map(|name| ((*name).to_owned(), Meaning::AnsweredText)).collect()
    }

    #[test]
    fn a_text_has_the_words_that_follow_its_first_part() {
        for (names, more) in [
            (&["old[0]", "old[1]", "new[0]"][..], 1),
            (&["a[0]", "a[0]"], 0),
            (&["x[1][0]", "x[1][1]", "x[1][2]"], 2),
            (&["old[0]", "old[2]"], 0),
            (&["old"], 0),
            (&[], 0),
        ] {
            assert_eq!(more_parts(&words(names)), more, "{names:?}");
        }
        let mut other = words(&["old[0]", "old[1]"]);
        other[1].1 = Meaning::Number;
        assert_eq!(more_parts(&other), 0);
    }

    #[test]
    fn a_field_is_named_as_it_was_asked_for() {
        let parts = [*b"REQ_OP_W", *b"RITE\0\0\0\0"].map(u64::from_le_bytes);
        let found = field(&part_name("ops[3]", 0), &parts);
        assert_eq!((&*found.name, &*found.text, found.value), ("ops[3]", "REQ_OP_WRITE", parts[0]));
        assert_eq!(field("plain", &[]).text, "");
    }
}

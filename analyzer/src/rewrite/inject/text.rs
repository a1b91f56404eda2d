//! The text of a field as words: a number where writing it again makes the same text, else its bytes.

use crate::analysis::describe::part_name;
use iotrace_format::role::Role;

/// Bytes of a word.
const WORD: usize = 8;

/// What all texts of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// Decimal numbers from 0.
    Unsigned {
        /// None is larger than a signed one can be.
        small: bool,
    },
    /// Decimal numbers, some below 0.
    Signed,
    /// Numbers in hexadecimal.
    Hexadecimal,
    /// Anything else: words of the longest.
    Text(usize),
}

impl AnswerForm {
    /// That of one text.
    pub fn of(text: &str) -> Self {
        if let Ok(value) = text.parse::<u64>()
            && value.to_string() == text
        {
            return Self::Unsigned { small: i64::try_from(value).is_ok() };
        }
        if let Ok(value) = text.parse::<i64>()
            && value.to_string() == text
        {
            return Self::Signed;
        }
        match hexadecimal(text) {
            Some(_) => Self::Hexadecimal,
            None => Self::Text(text_words(text)),
        }
    }

    /// That of its texts so far and one more.
    pub fn with(self, text: &str) -> Self {
        match (self, Self::of(text)) {
            (Self::Unsigned { small: a }, Self::Unsigned { small: b }) => Self::Unsigned { small: a && b },
            (Self::Unsigned { small: true } | Self::Signed, Self::Signed)
            | (Self::Signed, Self::Unsigned { small: true }) => Self::Signed,
            (Self::Hexadecimal, Self::Hexadecimal) => Self::Hexadecimal,
            (Self::Text(words), _) => Self::Text(words.max(text_words(text))),
            // No number that was a word has more digits than these.
            _ => Self::Text(text_words(text).max(MOST_DIGITS.div_ceil(WORD))),
        }
    }

    /// How many words it has.
    pub fn words(self) -> usize {
        if let Self::Text(words) = self { words } else { 1 }
    }

    /// The names of its words, and their role.
    pub fn names(self, field: &str) -> (Vec<String>, Role) {
        let role = match self {
            Self::Unsigned { .. } => Role::AnswerUnsigned,
            Self::Signed => Role::AnswerSigned,
            Self::Hexadecimal => Role::AnswerHexadecimal,
            Self::Text(words) => {
                return ((0..words).map(|part| part_name(field, part)).collect(), Role::AnswerText);
            }
        };
        (vec![field.to_owned()], role)
    }

    /// Appends the words of a text.
    pub fn put(self, text: &str, words: &mut Vec<u64>) {
        match self {
            Self::Unsigned { .. } => words.push(text.parse().unwrap_or_default()),
            Self::Signed => words.push(text.parse::<i64>().unwrap_or_default().cast_unsigned()),
            Self::Hexadecimal => words.push(hexadecimal(text).unwrap_or_default()),
            Self::Text(count) => {
                let bytes = text.as_bytes();
                words.extend((0..count).map(|at| {
                    let rest = bytes.get(at * WORD..).unwrap_or_default();
                    let mut word = [0; WORD];
                    let length = rest.len().min(WORD);
                    word[..length].copy_from_slice(&rest[..length]);
                    u64::from_le_bytes(word)
                }));
            }
        }
    }
}

/// Digits of the longest number that is a word: 2^64 - 1, -2^63.
const MOST_DIGITS: usize = 20;

/// A number as gdb writes it in hexadecimal.
fn hexadecimal(text: &str) -> Option<u64> {
    let value = u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
    (format!("{value:#x}") == text).then_some(value)
}

fn text_words(text: &str) -> usize {
    text.len().div_ceil(WORD).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> AnswerForm {
        let (first, more) = texts.split_first().unwrap();
        more.iter().fold(AnswerForm::of(first), |found, text| found.with(text))
    }

    #[test]
    fn a_field_of_numbers_has_one_word() {
        let unsigned = |small| AnswerForm::Unsigned { small };
        for (texts, expected) in [
            (&["0", "59"][..], unsigned(true)),
            (&["1", "18446744073709551615"], unsigned(false)),
            (&["3", "-5", "4"], AnswerForm::Signed),
            (&["-9223372036854775808"], AnswerForm::Signed),
            (&["0x0", "0xffff888000000000"], AnswerForm::Hexadecimal),
        ] {
            assert_eq!(of(texts), expected, "{texts:?}");
            assert_eq!(expected.words(), 1);
        }
    }

    #[test]
    fn what_would_be_written_otherwise_is_text() {
        for (texts, words) in [
            (&["007"][..], 1),
            (&["+7"], 1),
            (&["-0"], 1),
            (&["0xFF"], 1),
            (&["0x00"], 1),
            (&[""], 1),
            (&["18446744073709551616"], 3),
            (&["REQ_OP_WRITE"], 2),
            (&["<optimized out>", "5"], 2),
            // As a number of one field: the first may have had 20 digits.
            (&["5", "<optimized out>"], 3),
            (&["18446744073709551615", "-1"], 3),
            (&["0x10", "16"], 3),
        ] {
            let found = of(texts);
            assert_eq!(found, AnswerForm::Text(words), "{texts:?}");
        }
    }

    #[test]
    fn words_have_all_of_a_text() {
        let mut words = Vec::new();
        let found = of(&["REQ_OP_WRITE", "x"]);
        found.put("REQ_OP_WRITE", &mut words);
        found.put("x", &mut words);
        of(&["-5"]).put("-5", &mut words);
        of(&["0x10"]).put("0x10", &mut words);
        let expected = [*b"REQ_OP_W", *b"RITE\0\0\0\0", *b"x\0\0\0\0\0\0\0", [0; 8]].map(u64::from_le_bytes);
        assert_eq!(words, [&expected[..], &[-5_i64 as u64, 16]].concat());
        assert_eq!(found.names("op"), (vec!["op[0]".to_owned(), "op[1]".to_owned()], Role::AnswerText));
    }
}

//! What may reach a terminal.
//!
//! In: output, with names that a guest or a kernel's file has chosen. Out: the same without characters that drive a
//! terminal or change the order of text ([`is_control`]). [`PlainWriter`] is between every command and the
//! process's output, so that no command has to think of it.
//!
//! Colours pass as markers: the sequences of [`Paint`] with a number that the process draws at random when it starts. Names
//! cannot have it, so that no name becomes a colour.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::LazyLock;

/// SGR sequences (ECMA-48, 8.3.117).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Bold.
    Heading,
    /// Faint.
    Faint,
    /// Yellow.
    Alarm,
    /// As text is without any of them.
    End,
}

impl Paint {
    /// All of them, with their SGR parameters.
    const ALL: [(Self, &str); 4] =
        [(Self::Heading, "1"), (Self::Faint, "2"), (Self::Alarm, "33"), (Self::End, "0")];

    /// What becomes the sequence in [`PlainWriter`]: an escape sequence itself, of no columns.
    #[must_use]
    pub fn marker(self) -> &'static str {
        static MARKERS: LazyLock<[String; Paint::ALL.len()]> = LazyLock::new(|| {
            let key = RandomState::new().hash_one(0);
            Paint::ALL.map(|(_, parameter)| format!("\x1b[{key}:{parameter}m"))
        });
        &MARKERS[self as usize]
    }
}

/// Whether a character is one of control (C0, DEL, C1), ends a line in Unicode, or changes the direction of text (UAX #9).
#[must_use]
pub fn is_control(c: char) -> bool {
    let is_bidi =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_bidi || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What control characters become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controls {
    /// `?`, for text; line feeds and markers of colours are what they are.
    Replaced,
    /// `\u202e`, for JSON, which has them in its strings only: the document stays the same.
    Escaped,
}

/// Passes text on without control characters. Each write has whole characters and whole markers.
#[derive(Debug)]
pub struct PlainWriter<W> {
    out: W,
    controls: Controls,
}

impl<W: Write> PlainWriter<W> {
    /// Writes to `out`.
    pub fn new(out: W, controls: Controls) -> Self {
        Self { out, controls }
    }

    fn write_text(&mut self, mut text: &str) -> io::Result<()> {
        loop {
            let (harmless, rest) = text.split_at(printable(text.as_bytes()));
            self.out.write_all(harmless.as_bytes())?;
            let Some(next) = rest.chars().next() else { return Ok(()) };
            text = match self.painted(rest)? {
                Some(rest) => rest,
                None => {
                    self.write_char(next)?;
                    &rest[next.len_utf8()..]
                }
            };
        }
    }

    /// Writes the sequence of a marker, if the text begins with one; what follows it.
    fn painted<'a>(&mut self, text: &'a str) -> io::Result<Option<&'a str>> {
        if self.controls == Controls::Escaped || !text.starts_with('\x1b') {
            return Ok(None);
        }
        let after = |(paint, parameter): (Paint, _)| Some((parameter, text.strip_prefix(paint.marker())?));
        let Some((parameter, rest)) = Paint::ALL.into_iter().find_map(after) else { return Ok(None) };
        write!(self.out, "\x1b[{parameter}m")?;
        Ok(Some(rest))
    }

    fn write_char(&mut self, c: char) -> io::Result<()> {
        match self.controls {
            _ if !is_control(c) => write!(self.out, "{c}"),
            Controls::Replaced => self.out.write_all(b"?"),
            Controls::Escaped => write!(self.out, "\\u{:04x}", u32::from(c)),
        }
    }
}

impl<W: Write> Write for PlainWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Most output is printable ASCII as a whole, which is looked at once.
        let (harmless, rest) = bytes.split_at(printable(bytes));
        self.out.write_all(harmless)?;
        if let Ok(text) = str::from_utf8(rest) {
            self.write_text(text)?;
            return Ok(bytes.len());
        }
        for chunk in rest.utf8_chunks() {
            self.write_text(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                write!(self.out, "{}", char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Bytes at the beginning that are printable ASCII or line feeds. So many at once are looked at as a vector has.
fn printable(bytes: &[u8]) -> usize {
    let harmless = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    let all = |chunk: &&[u8]| chunk.iter().fold(true, |all, byte| all & harmless(byte));
    let (chunks, _) = bytes.as_chunks::<64>();
    let whole = chunks.iter().take_while(|chunk| all(&chunk.as_slice())).count() * 64;
    whole + bytes[whole..].iter().take_while(|byte| harmless(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &[u8], controls: Controls) -> String {
        let mut out = Vec::new();
        PlainWriter::new(&mut out, controls).write_all(text).unwrap();
        String::from_utf8(out).unwrap()
    }

    const FOREIGN: &str = "\x1b]0;x\x07µ\u{202e}\u{7f}\u{9b}\r\n\u{2028}\u{61c}→";

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(written(FOREIGN.as_bytes(), Controls::Replaced), "?]0;x?µ????\n??→");
        assert_eq!(written(b"a\x9b31mb\xff", Controls::Replaced), "a\u{fffd}31mb\u{fffd}");
        for at in 0..200 {
            let (before, after) = ("x".repeat(at), "y".repeat(200 - at));
            let text = format!("{before}\x1b{after}");
            assert_eq!(written(text.as_bytes(), Controls::Replaced), format!("{before}?{after}"));
        }
    }

    #[test]
    fn json_stays_the_same_document() {
        let json = serde_json::to_string_pretty(&[FOREIGN]).unwrap();
        let plain = written(json.as_bytes(), Controls::Escaped);
        assert!(!plain.chars().any(|c| c != '\n' && is_control(c)), "{plain:?}");
        assert!(plain.contains("\\u202e\\u007f\\u009b"), "{plain}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&plain).unwrap(), [FOREIGN]);
    }

    #[test]
    fn markers_alone_become_colours() {
        let text = format!("{}x\x1b[1m{}\x1b[7:33m", Paint::Alarm.marker(), Paint::End.marker());
        assert_eq!(written(text.as_bytes(), Controls::Replaced), "\x1b[33mx?[1m\x1b[0m?[7:33m");
        assert!(!written(text.as_bytes(), Controls::Escaped).contains('\x1b'));
    }
}

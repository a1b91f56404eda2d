//! Lines that fit on a terminal.
//!
//! In: lines of text, perhaps with colours (SGR, ECMA-48). Out: the same, those that are longer than the terminal is wide
//! continued on further lines, broken at blanks and indented. Widths are in columns.

use super::text::Style;
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Columns by which the rest of a line is indented more than its beginning.
const INDENT: usize = 2;

/// Least columns for text beside a prefix.
const LEAST: usize = 24;

/// Columns of a text; colours have none.
#[must_use]
pub fn columns(text: &str) -> usize {
    let mut escape = Escape::default();
    text.chars().map(|c| escape.columns(c)).sum()
}

/// Where in an escape sequence a text is: ESC, `[`, parameters, a letter.
#[derive(Debug, Default)]
struct Escape {
    is_open: bool,
}

impl Escape {
    /// Columns of the next character.
    fn columns(&mut self, next: char) -> usize {
        match (self.is_open, next) {
            (true, c) => {
                self.is_open = !c.is_ascii_alphabetic();
                0
            }
            (false, '\x1b') => {
                self.is_open = true;
                0
            }
            (false, c) => c.width().unwrap_or(0),
        }
    }
}

/// The text in lines of at most `width` columns: the first begins with `first` columns taken, the others are to be
/// indented by `hanging`.
#[must_use]
pub fn broken(text: &str, first: usize, hanging: usize, width: usize) -> Vec<String> {
    let mut lines = Breaker { lines: Vec::new(), line: String::new(), taken: first, hanging, width };
    let mut rest = text;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[blanks..].find(' ').map_or(rest.len(), |at| blanks + at);
        lines.word(&rest[..blanks], &rest[blanks..end]);
        rest = &rest[end..];
    }
    lines.lines.push(lines.line);
    lines.lines
}

struct Breaker {
    lines: Vec<String>,
    line: String,
    /// Columns of the line, its indentation among them.
    taken: usize,
    hanging: usize,
    width: usize,
}

impl Breaker {
    fn word(&mut self, blanks: &str, word: &str) {
        let (before, columns) = (blanks.len(), columns(word));
        if self.taken + before + columns <= self.width {
            self.line.extend([blanks, word]);
            self.taken += before + columns;
        } else if self.hanging + columns <= self.width {
            self.end_line();
            self.line.push_str(word);
            self.taken += columns;
        } else {
            self.long_word(blanks, word);
        }
    }

    /// A word that no line has room for: broken where the line ends.
    fn long_word(&mut self, blanks: &str, word: &str) {
        if self.taken + blanks.len() < self.width {
            self.line.push_str(blanks);
            self.taken += blanks.len();
        } else {
            self.end_line();
        }
        let mut escape = Escape::default();
        for c in word.chars() {
            let columns = escape.columns(c);
            if self.taken + columns > self.width && self.taken > self.hanging {
                self.break_word();
            }
            self.line.push(c);
            self.taken += columns;
        }
    }

    /// Ends the line inside of a word: after the last slash or underscore of its second half, if there is one.
    fn break_word(&mut self) {
        let word = self.line.rfind(' ').map_or(0, |at| at + 1);
        let half = word.max(self.line.len() / 2);
        let at =
            self.line.rfind(['/', '_']).map(|at| at + 1).filter(|at| *at > half && *at < self.line.len());
        let rest = at.map(|at| self.line.split_off(at)).unwrap_or_default();
        self.end_line();
        self.taken += columns(&rest);
        self.line.push_str(&rest);
    }

    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.taken = self.hanging;
    }
}

/// Puts `prefix` and `text`, the text's further lines below its beginning.
pub fn put(out: &mut String, prefix: &str, text: &str, style: Style) {
    out.push_str(prefix);
    let Some(width) = style.width else { return out.push_str(text) };
    let first = columns(prefix);
    // Farther left if the longest word needs it: names are not broken as long as a line has room for them.
    let longest = text.split(' ').map(columns).max().unwrap_or(0);
    let hanging =
        first.min(width.saturating_sub(longest.max(LEAST.min(width / 2)))).max(INDENT.min(width / 2));
    let mut lines = broken(text, first, hanging, width).into_iter();
    out.extend(lines.next());
    for line in lines {
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', hanging));
        out.push_str(&line);
    }
}

/// Writes `prefix` and `text` as lines, the text's further lines below its beginning.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, prefix: &str, text: &str, style: Style) -> io::Result<()> {
    let mut line = String::with_capacity(prefix.len() + text.len() + 1);
    put(&mut line, prefix, text, style);
    writeln!(out, "{line}")
}

/// Wraps every line that is longer than the terminal is wide; without a terminal passes all on as it is.
///
/// What is written last must end a line.
pub struct WrapWriter<'a> {
    out: &'a mut dyn Write,
    style: Style,
    /// The beginning of a line.
    line: Vec<u8>,
}

impl<'a> WrapWriter<'a> {
    /// Wraps for a style.
    pub fn new(out: &'a mut dyn Write, style: Style) -> Self {
        Self { out, style, line: Vec::new() }
    }

    fn write_line(&mut self, width: usize) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        if columns(line) <= width {
            return writeln!(self.out, "{line}");
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        let hanging = (indent + INDENT).min(width / 2);
        for (at, part) in broken(line, 0, hanging, width).iter().enumerate() {
            let indent = if at == 0 { 0 } else { hanging };
            writeln!(self.out, "{:indent$}{part}", "")?;
        }
        Ok(())
    }
}

impl Write for WrapWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(width) = self.style.width else { return self.out.write(bytes) };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.write_line(width)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Style = Style { colour: false, width: Some(20) };

    fn wrapped(text: &str) -> String {
        let mut out = Vec::new();
        WrapWriter::new(&mut out, NARROW).write_all(text.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_broken_at_blanks_and_indented() {
        assert_eq!(wrapped("short\n\nx\n"), "short\n\nx\n");
        assert_eq!(wrapped("  one two three four five\n"), "  one two three four\n    five\n");
        assert_eq!(wrapped("exactly twenty wide.\n"), "exactly twenty wide.\n");
    }

    #[test]
    fn words_longer_than_a_line_are_broken() {
        assert_eq!(
            wrapped(&format!("  {}\n", "a".repeat(30))),
            format!("  {}\n    {}\n", "a".repeat(18), "a".repeat(12))
        );
    }

    #[test]
    fn long_words_are_broken_at_a_slash_or_an_underscore() {
        assert_eq!(
            wrapped("arch/mips/include/asm/idtentry.h:622\n"),
            "arch/mips/include/\n  asm/idtentry.h:622\n"
        );
    }

    #[test]
    fn colours_and_wide_characters_are_measured() {
        assert_eq!((columns("\x1b[1mab\x1b[0m"), columns("µs → 漢")), (2, 7));
        let line = "\x1b[33mone two three four\x1b[0m five\n";
        assert_eq!(wrapped(line), "\x1b[33mone two three four\x1b[0m\n  five\n");
        assert!(wrapped(&format!("{}\n", "漢".repeat(15))).lines().all(|line| columns(line) <= 20));
    }

    #[test]
    fn text_goes_on_below_its_beginning() {
        let mut out = String::new();
        put(&mut out, "  key  ", "some words of a value", NARROW);
        assert_eq!(out, "  key  some words of\n       a value");
        out.clear();
        put(&mut out, "  key  ", "a_long_word_alone_", NARROW);
        assert_eq!(out, "  key\n  a_long_word_alone_");
        out.clear();
        put(&mut out, "  key  ", "some words of a value", Style::default());
        assert_eq!(out, "  key  some words of a value");
    }

    #[test]
    fn what_is_no_terminal_is_not_wrapped() {
        let (mut out, text) = (Vec::new(), "a line that is longer than twenty columns\n");
        WrapWriter::new(&mut out, Style::default()).write_all(text.as_bytes()).unwrap();
        assert_eq!(out, text.as_bytes());
    }
}

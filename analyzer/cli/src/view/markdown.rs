//! Markdown: CommonMark with the tables of GitHub.
//!
//! In: texts, with names that a guest has chosen. Out: headings, items, paragraphs and tables in which all of it is text:
//! [`Markdown`] escapes what it is handed, and nothing else writes Markdown.

use super::table::{Align, Table};
use super::text::plain;
use std::io::{self, Write};

/// Writes Markdown. Errors are those of the output.
pub struct Markdown<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Markdown<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// An item of a list, in bold.
    pub fn item(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "- **{}**", escaped(text))
    }

    /// A heading, with blank lines around it.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n## {}\n", escaped(text))
    }

    /// A line of a paragraph: a name in bold, what it is, and with `more` a break before the next line.
    pub fn named(&mut self, name: &str, what: &str, more: bool) -> io::Result<()> {
        // Two blanks at the end of a line break it.
        writeln!(self.out, "**{}** {}{}", escaped(name), escaped(what), if more { "  " } else { "" })
    }

    /// A paragraph of these lines, with a blank line before it.
    pub fn paragraph<'b>(&mut self, lines: impl IntoIterator<Item = &'b str>) -> io::Result<()> {
        writeln!(self.out)?;
        lines.into_iter().try_for_each(|text| {
            let text = escaped(text.trim_start());
            writeln!(self.out, "{}{text}", if begins_a_block(&text) { "&#8203;" } else { "" })
        })
    }

    /// A table.
    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        let row = |cells: &mut dyn Iterator<Item = String>| {
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        writeln!(self.out, "{}", row(&mut table.heads().iter().map(|(head, _)| escaped(head))))?;
        let rule = |(_, align): &(String, Align)| match align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        };
        writeln!(self.out, "{}", row(&mut table.heads().iter().map(rule)))?;
        let mut rows = table.rows().iter();
        rows.try_for_each(|cells| writeln!(self.out, "{}", row(&mut cells.iter().map(|cell| escaped(cell)))))
    }
}

/// Whether a line would begin a list, be a rule or make a heading of the line before it.
fn begins_a_block(line: &str) -> bool {
    line.starts_with(['-', '+', '='])
        || line.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['.', ')'])
}

/// Text as Markdown that shows it: no tag, link, address, emphasis, code, cell or mention begins in it.
fn escaped(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            // Cells are separated before anything else is read.
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '[' | ']' | '~' | '#' | '$' => out.extend(['\\', c]),
            // Between letters it is no emphasis.
            '_' if !(before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric)) => {
                out.push_str("\\_");
            }
            // Addresses are links without any brackets.
            ':' if after.starts_with("//") => out.push_str("\\:"),
            '.' if before.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    /// Names, and what shows them.
    const NAMES: [(&str, &str); 16] = [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("<!--", "&lt;!--"),
        ("@user", "&#64;user"),
        ("[x](javascript:1)", "\\[x\\](javascript:1)"),
        ("![x](y)", "!\\[x\\](y)"),
        ("<https://a.b>", "&lt;https\\://a.b&gt;"),
        ("https://a.b www.a.b", "https\\://a.b www\\.a.b"),
        ("`a` ``b", "\\`a\\` \\`\\`b"),
        ("a|b\\|c", "a&#124;b\\\\&#124;c"),
        ("a\n\n# b\r> c", "a??\\# b?&gt; c"),
        ("**a** *b*", "\\*\\*a\\*\\* \\*b\\*"),
        ("_a_ vfs_read __b c_", "\\_a\\_ vfs_read \\_\\_b c\\_"),
        ("&lt;b&#64;", "&amp;lt;b&amp;\\#64;"),
        ("~~a~~ $b$", "\\~\\~a\\~\\~ \\$b\\$"),
        ("#1", "\\#1"),
        ("\u{202e}a\u{9b}", "?a?"),
    ];

    fn written(write: impl FnOnce(&mut Markdown<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Markdown::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_escaped() {
        for (name, expected) in NAMES {
            assert_eq!(escaped(name), expected, "{name:?}");
        }
    }

    /// The texts of the cells, items, headings and paragraphs; nothing else is in it.
    fn texts(markdown: &str) -> Vec<String> {
        let extensions = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
        let mut texts = vec![String::new()];
        for event in Parser::new_ext(markdown, extensions) {
            match event {
                Event::Text(text) => texts.last_mut().unwrap().push_str(&text),
                Event::SoftBreak | Event::HardBreak | Event::End(_) => texts.push(String::new()),
                Event::Start(
                    Tag::Paragraph
                    | Tag::Heading { .. }
                    | Tag::List(None)
                    | Tag::Item
                    | Tag::Strong
                    | Tag::Table(_)
                    | Tag::TableHead
                    | Tag::TableRow
                    | Tag::TableCell,
                ) => {}
                event => panic!("{event:?} in {markdown}"),
            }
        }
        texts.into_iter().filter(|text| !text.trim().is_empty()).collect()
    }

    #[test]
    fn names_are_shown_and_are_nothing_else() {
        for (name, _) in NAMES {
            let mut table = Table::new([(name, Align::Left), ("n", Align::Right)]);
            table.row([name.to_owned(), "1".to_owned()]);
            let markdown = written(|out| {
                out.item(&format!("x {name} x"))?;
                out.heading(name)?;
                out.table(&table)?;
                out.paragraph([name, "- x", "1. x", "=="])?;
                out.paragraph([])?;
                out.named("A", name, false)
            });
            let shown = plain(name);
            let [item, rest @ ..] = &texts(&markdown)[..] else { panic!("{markdown}") };
            assert_eq!(*item, format!("x {shown} x"));
            let lines = ["\u{200b}- x", "\u{200b}1. x", "\u{200b}=="];
            let expected = [&[shown.as_str(), &shown, "n", &shown, "1", &shown][..], &lines, &["A"]].concat();
            assert_eq!(rest[..expected.len()], expected, "{markdown}");
            assert_eq!(rest[expected.len()..], [format!(" {shown}")], "{markdown}");
        }
    }
}

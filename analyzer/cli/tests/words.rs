//! What users read is plain technical English: messages, help and printed views have none of the words below.
//!
//! Three kinds of text are looked through: string literals of Rust code and of the scripts, the help of every command,
//! and the snapshots of views.

mod help;

use help::commands;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words and phrases that messages do not have, in small letters; what to say instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("by hand", "synthetic, manually"),
    ("comes", "load, arrives, is"),
    ("does not do", "does not match"),
    ("for good", "permanently"),
    ("gives", "prints, provides"),
    ("goes", "unload, continues"),
    ("goes back", "resolves to, origin"),
    ("go back", "resolve to, origin"),
    ("hand-over", "hand-off"),
    ("handed over", "handed off, issued"),
    ("landmark", "context record"),
    ("landmarks", "context records"),
    ("made again", "made anew, saved again"),
    ("nobody", "no task, none"),
    ("one behind the other", "consecutive"),
    ("rider", "parent bio"),
    ("said", "reported, printed"),
    ("says", "reports, prints"),
    ("set right", "resynchronized"),
    ("so many", "a number of, at most N"),
    ("stands", "is"),
    ("tell", "print, report"),
    ("tells", "prints, reports"),
    ("the whole way", "the calls"),
    ("told", "reported"),
    ("unpack", "decode, decompress"),
    ("unpacked", "decoded, decompressed"),
    ("unpacking", "extracting, decompressing"),
    ("untold", "missing, without a probe"),
    ("very", "omit"),
    ("wanted", "selected, matching"),
    ("was cut", "truncated"),
    ("what was asked", "the query"),
    ("whatever", "omit"),
];

/// Files with some of them, each with the phrase and why.
const ALLOWED: &[(&str, &str, &str)] = &[];

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The forbidden phrases in a text, as whole words.
fn forbidden(text: &str) -> Vec<&'static str> {
    let words = words(&text.to_lowercase());
    let phrase = |phrase: &&str| {
        let phrase: Vec<_> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|window| window.iter().zip(&phrase).all(|(a, b)| a == b))
    };
    FORBIDDEN.iter().map(|(forbidden, _)| *forbidden).filter(phrase).collect()
}

fn words(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '/' || c == '\'';
    text.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A text of three words or more is one for people.
fn is_prose(text: &str) -> bool {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() >= 3
}

/// The string literals of Rust code before its tests; comments have none.
fn rust_literals(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let (mut literals, mut rest) = (Vec::new(), code);
    while let Some(at) = rest.find(['"', '/', '\'', 'r']) {
        let from = &rest[at..];
        if from.starts_with("//") {
            rest = from.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some((literal, after)) = raw_literal(from) {
            literals.push(literal.to_owned());
            rest = after;
        } else if let Some(begun) = from.strip_prefix('"') {
            let (literal, after) = literal(begun);
            literals.push(literal);
            rest = after;
        } else {
            rest = &from[character(from)..];
        }
    }
    literals
}

/// `r#"…"#` at the beginning of code, and what follows it.
fn raw_literal(code: &str) -> Option<(&str, &str)> {
    let hashes = code.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let text = hashes[count..].strip_prefix('"')?;
    text.split_once(&format!("\"{}", "#".repeat(count)))
}

/// A literal whose quote has been read, joined where it is continued on another line, and what follows it.
fn literal(code: &str) -> (String, &str) {
    let (mut text, mut chars) = (String::new(), code.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &code[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some(_) => text.push(' '),
                None => {}
            },
            c => text.push(c),
        }
    }
    (text, "")
}

/// Bytes of a character literal or of another character at the beginning of code.
fn character(code: &str) -> usize {
    match code.as_bytes() {
        [b'\'', b'\\', _, b'\'', ..] => 4,
        [b'\'', _, b'\'', ..] => 3,
        _ => code.chars().next().map_or(0, char::len_utf8),
    }
}

/// The literals of a script, in Python or for a shell; of a program the text at its beginning too, which is its help.
/// Text between three quotes elsewhere is no message.
fn script_literals(code: &str, is_program: bool) -> Vec<String> {
    let mut parts = code.split("\"\"\"");
    let (before, help) = (parts.next().unwrap_or_default(), parts.next());
    let code: String = std::iter::once(before).chain(parts.step_by(2)).collect::<Vec<_>>().join("\n");
    let lines = code.lines().filter(|line| !line.trim_start().starts_with('#'));
    let literals = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    literals.chain(help.filter(|_| is_program)).map(str::to_owned).collect()
}

/// Files below a folder of the checkout whose path fits.
fn files(folder: &str, fits: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![checkout().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            match path.is_dir() {
                true if name != "target" && !name.starts_with(['.', '_']) => folders.push(path),
                false if fits(&path) => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Rust files that are part of a program.
fn is_program(path: &Path) -> bool {
    let path = path.to_string_lossy();
    let of_tests = ["/tests/", "/benches/", "/guest/", "/examples/"].iter().any(|part| path.contains(part));
    let is_tests = ["tests.rs", "fixture.rs", "fake.rs"].iter().any(|end| path.ends_with(end));
    path.ends_with(".rs") && !of_tests && !is_tests
}

/// The forbidden phrases of some texts of a file that are not allowed there, as lines of a message.
fn wrong(name: &str, texts: &[String]) -> String {
    let is_allowed =
        |phrase: &str| ALLOWED.iter().any(|(file, word, _)| name.ends_with(file) && *word == phrase);
    let mut lines = String::new();
    for text in texts {
        for phrase in forbidden(text).into_iter().filter(|phrase| !is_allowed(phrase)) {
            lines.push_str(&format!("{name}: {phrase:?} in {text:?}\n"));
        }
    }
    lines
}

fn literals_of(path: &Path) -> Vec<String> {
    let code = fs::read_to_string(path).unwrap_or_default();
    let literals = match path.extension() {
        Some(end) if end == "rs" => rust_literals(&code),
        end => script_literals(&code, end.is_none()),
    };
    literals.into_iter().map(|text| without_fields(&text)).filter(|text| is_prose(text)).collect()
}

/// A format string without the names of what it prints.
fn without_fields(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + " " + part.split_once('}').map_or(part, |(_, rest)| rest))
}

#[test]
fn messages_have_plain_words() {
    let is_script =
        |path: &Path| path.extension().is_none_or(|end| end == "py") && fs::read_to_string(path).is_ok();
    let rust = ["analyzer", "plugin", "schemas"].map(|folder| files(folder, is_program)).concat();
    let all = [rust, files("scripts", is_script)].concat();
    assert!(all.len() > 200, "{}", all.len());
    let wrong: String = all.iter().map(|path| wrong(&path.to_string_lossy(), &literals_of(path))).collect();
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn help_has_plain_words() {
    let mut wrong_lines = String::new();
    let names = commands();
    for command in [None].into_iter().chain(names.iter().map(|name| Some(name.as_str()))) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze"));
        let help = program.args(command).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains("Usage: "), "{help}");
        wrong_lines += &wrong(command.unwrap_or("iotrace-analyze"), &[help]);
    }
    assert!(wrong_lines.is_empty(), "\n{wrong_lines}");
}

#[test]
fn views_have_plain_words() {
    let snapshots = files("analyzer", |path| path.extension().is_some_and(|end| end == "snap"));
    assert!(snapshots.len() > 20, "{}", snapshots.len());
    let check = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        wrong(&path.to_string_lossy(), &text.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let wrong: String = snapshots.iter().map(check).collect();
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn forbidden_words_are_found_where_they_are() {
    let code = r##"
// told in a comment
fn f(c: char) -> String {
    let key = "told";
    let quote = '"';
    #[error("the trace is told \
             so many times")]
    format!("nothing is wrong here {key}");
    r#"a raw text, Whatever "it" is"#.to_owned()
}
#[cfg(test)]
mod tests {
    const TOLD: &str = "this was told in tests";
"##;
    let texts: Vec<_> = rust_literals(code).into_iter().filter(|text| is_prose(text)).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let found: Vec<_> = texts.iter().flat_map(|text| forbidden(text)).collect();
    assert_eq!(found, ["so many", "told", "whatever"]);
    assert_eq!(forbidden("the unpacked_bytes of untold-stages, told-of"), [""; 0]);
    assert_eq!(forbidden(&without_fields("expected {wanted}, found {other}")), [""; 0]);
    let script = "\"\"\"Very short.\"\"\"\n# told in a comment\ndef f():\n    \"\"\"What is wanted.\"\"\"\n    \
                  say(f\"it is unpacking {name} for good\")\n";
    let found: Vec<_> = script_literals(script, true).iter().flat_map(|text| forbidden(text)).collect();
    assert_eq!(found, ["for good", "unpacking", "very"]);
}

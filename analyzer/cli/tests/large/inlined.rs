//! `path`: calls that are inside of one another, deeper than a stack is.

use super::crafted::Crafted;
use super::{MANY, ask};
use iotrace_format::definition::{At, Probe};

/// A system call in which nothing returns.
fn calls(count: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let (read, returned) = trace.call("sys.read", &["fd", "count"]);
    let (call, _) = trace.plain_call("f");
    trace.event(read, &[3, 59]);
    (0..count).for_each(|_| trace.event(call, &[]));
    trace.event(returned, &[0]);
    trace.file()
}

/// A function that is inlined into itself, without end.
fn inlined(count: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let (read, returned) = trace.call("sys.read", &["fd", "count"]);
    let inside = vec!["f".into(), "g".into()];
    let inner = Probe { function: "f".into(), at: At::Inlined, inside, ..Probe::default() };
    let inner = trace.define_probe(inner);
    trace.event(read, &[3, 59]);
    (0..count).for_each(|_| trace.event(inner, &[]));
    trace.event(returned, &[0]);
    trace.file()
}

/// Characters that the longest line begins with.
fn deepest(path: &str) -> usize {
    path.lines().map(|line| line.len() - line.trim_start().len()).max().unwrap_or(0)
}

#[test]
fn calls_that_do_not_return() {
    let path = ask(&calls(MANY / 16), &["path", "--io", "1", "--unfolded"]);
    assert_eq!(path.lines().filter(|line| line.contains("f(")).count() as u64, MANY / 16);
    let json = ask(&calls(MANY / 4), &["path", "--io", "1", "--format", "json"]);
    assert!(json.contains(r#""depth": 512"#) && !json.contains(r#""depth": 513"#));
}

#[test]
fn functions_inlined_into_themselves() {
    let path = ask(&inlined(MANY / 4), &["path", "--io", "1"]);
    assert!(path.contains("f() ×262142 inlined"), "{path:.2000}");
    assert!(deepest(&path) < 200, "{}", deepest(&path));
}

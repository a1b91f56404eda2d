//! The documents: a first page that is short, and links that lead somewhere.

use crate::{files_of, read};
use iotrace_tests::checkout;
use std::path::Path;

/// Most lines of the first page.
const LINES: usize = 200;

/// What a document's links lead to: a path and an anchor; not those to other hosts.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let local = targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace));
    local.map(|target| target.split_once('#').unwrap_or((target, "")))
}

/// The anchors of a document's headings, as they are made where documents are shown: lower case, `-` for a space.
fn anchors(text: &str) -> Vec<String> {
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let kept = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    headings
        .map(|heading| heading.to_lowercase().replace(' ', "-").chars().filter(|c| kept(*c)).collect())
        .collect()
}

#[test]
fn the_first_page_is_short() {
    let lines = read(Path::new("README.md")).lines().count();
    assert!(lines <= LINES, "README.md has {lines} lines");
}

#[test]
fn links_lead_somewhere() {
    let (mut broken, mut seen) = (Vec::new(), 0);
    for file in files_of("md") {
        let text = read(&file);
        let folder = file.parent().expect("it is in a folder");
        for (path, anchor) in links(&text) {
            seen += 1;
            let target = if path.is_empty() { file.clone() } else { folder.join(path) };
            let is_there = checkout().join(&target).exists();
            if !is_there || !anchor.is_empty() && !anchors(&read(&target)).iter().any(|known| known == anchor)
            {
                broken.push(format!("{}: {path}#{anchor}", file.display()));
            }
        }
    }
    assert!(broken.is_empty() && seen > 20, "{seen} links, of which these are broken: {broken:#?}");
}

#[test]
fn links_and_anchors_are_found() {
    let text = "# A \"b\" c\n[x](a/b.md#d-e) [y](https://z) [z](#f)\n## The way, of one\n";
    assert_eq!(links(text).collect::<Vec<_>>(), [("a/b.md", "d-e"), ("", "f")]);
    assert_eq!(anchors(text), ["a-b-c", "the-way-of-one"]);
}

//! Chromium shows the pages from their files.

use super::traces;
use iotrace_tests::readers::{proved, read_by};
use iotrace_tests::{analyze, folder, json, succeed};
use std::path::Path;
use std::process::Command;

/// What a page is once its script has run, without an error; none if the browser is not there.
fn shown(export: &str, page: &Path, address: &str) -> Option<String> {
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    chromium.args(["--virtual-time-budget=10000", "--window-size=1280,720", "--dump-dom"]);
    chromium.arg(format!("file://{}{address}", page.display()));
    let shown = read_by(export, "Chromium", &mut chromium)?;
    assert!(
        shown.contains("data-ready=\"true\""),
        "{}{address}: the script has not come to its end",
        page.display()
    );
    let said = chromium.output().expect("it can be started").stderr;
    let said = String::from_utf8_lossy(&said);
    let errors: Vec<_> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(errors.is_empty(), "{}{address}: {errors:?}", page.display());
    Some(shown)
}

/// A browser opens the page from its file and reports no error; the page is drawn.
#[test]
fn exports_as_a_page_are_shown_by_chromium() {
    for (name, trace) in traces() {
        let page = folder("exports").join(format!("{name}.html"));
        succeed(analyze(&["html"], &trace).arg("-o").arg(&page));
        let slowest = json(&trace, &["report", "--sort", "guest", "--top", "1"])["ios"][0]["id"].clone();
        for address in
            ["", "#view=timeline", "#view=maps", "#view=ios", "#view=tables", &format!("#io={slowest}")]
        {
            if shown("html", &page, address).is_none() {
                return;
            }
        }
        proved("html", "Chromium");
    }
}

/// The page of a comparison: its tables and its flame graph, and what a search leaves of them.
#[test]
fn pages_of_comparisons_are_shown_by_chromium() {
    let [(_, demo), (_, merges)] = traces();
    let page = folder("exports").join("diff.html");
    let mut command = analyze(&["diff", "--format", "html"], &demo);
    std::fs::write(&page, succeed(command.arg(&merges))).expect("it is writable");
    let Some(whole) = shown("diff-html", &page, "") else { return };
    let rows = |page: &str| page.matches("<tr").count() - page.matches("<tr hidden").count();
    assert!(whole.contains("<rect ") && !whole.contains("<tr hidden"), "the flame graph is drawn");
    let found = shown("diff-html", &page, "#search=vfs_").expect("it is there");
    assert!(found.contains("<tr hidden") && found.contains(" other\""), "{found:.3000}");
    assert!((1..rows(&whole)).contains(&rows(&found)), "{} of {} rows", rows(&found), rows(&whole));
    proved("diff-html", "Chromium");
}

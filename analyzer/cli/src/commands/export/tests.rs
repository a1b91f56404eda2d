//! Exports of traces made by hand, read back as their readers would.

use super::format::{FormatName, FormatOptions};
use super::output::ExportTarget;
use super::rows::Table;
use clap::ValueEnum;
use iotrace::Session;
use iotrace::analysis::conditions::Conditions;
use iotrace::analysis::records::{RecordQuery, records};
use iotrace::analysis::report::{ReportQuery, report};
use iotrace_synthetic_guest::{SyntheticGuest, buffered, direct_write, small};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

/// The files of an export, by name.
pub fn exported(
    guest: &SyntheticGuest,
    to: FormatName,
    tables: &[Table],
    query: &RecordQuery,
) -> BTreeMap<String, Vec<u8>> {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("out");
    let single = tables.len() == 1 && to != FormatName::Blktrace;
    let path = if single { place.path().join("one") } else { folder.clone() };
    let session = Session::from_bytes(guest.file()).unwrap();
    let target = ExportTarget::new(Some(&path));
    let mut format = to.begin(&FormatOptions { tables, query }, &target).unwrap();
    records(&session, query, format.as_mut(), &mut |_| {}).unwrap();
    format.add_paths(&session, &mut |_| {}).unwrap();
    assert!(!path.is_file() && fs::read_dir(&folder).is_ok_and(|mut all| all.next().is_none()) != single);
    format.close().unwrap();
    let read = if single { place.path() } else { &folder };
    let files = fs::read_dir(read).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read(file).unwrap())).collect()
}

/// The only file of an export.
pub fn one(guest: &SyntheticGuest, to: FormatName, table: Table, query: &RecordQuery) -> Vec<u8> {
    exported(guest, to, &[table], query).into_values().next().unwrap()
}

fn text(guest: &SyntheticGuest, to: FormatName, table: Table, query: &RecordQuery) -> String {
    String::from_utf8(one(guest, to, table, query)).unwrap()
}

fn by_syscall(name: &str) -> RecordQuery {
    let conditions = Conditions { syscall: Some(name.to_owned()), ..Conditions::default() };
    RecordQuery { conditions, ..RecordQuery::default() }
}

#[test]
fn tables_are_those_of_the_trace() {
    let mut all = String::new();
    for table in Table::value_variants() {
        let csv = text(&direct_write(), FormatName::Csv, *table, &RecordQuery::default());
        let rows: Vec<_> = csv.lines().take(4).collect();
        all += &format!("{}: {} rows\n{}\n\n", table.name(), csv.lines().count() - 1, rows.join("\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn both_formats_have_the_same_columns_and_rows() {
    let tables = Table::value_variants();
    let csv = exported(&buffered(), FormatName::Csv, tables, &RecordQuery::default());
    let json = exported(&buffered(), FormatName::Ndjson, tables, &RecordQuery::default());
    assert_eq!((csv.len(), json.len()), (tables.len(), tables.len()));
    for table in tables {
        let csv = std::str::from_utf8(&csv[&format!("{}.csv", table.name())]).unwrap();
        let json = std::str::from_utf8(&json[&format!("{}.ndjson", table.name())]).unwrap();
        assert_eq!(csv.lines().count(), json.lines().count() + 1, "{}", table.name());
        for line in json.lines() {
            let Value::Object(row) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
            let names: Vec<_> = csv.lines().next().unwrap().split(',').collect();
            assert!(names.len() == row.len() && names.iter().all(|name| row.contains_key(*name)), "{line}");
        }
    }
}

#[test]
fn conditions_select_as_those_of_report() {
    let guest = buffered();
    let session = Session::from_bytes(guest.file()).unwrap();
    for conditions in [
        Conditions::default(),
        Conditions { syscall: Some("fsync".into()), ..Conditions::default() },
        Conditions { syscall: Some("write".into()), ..Conditions::default() },
        Conditions { sector: Some(0..=200), ..Conditions::default() },
        Conditions { task: Some("nobody".into()), ..Conditions::default() },
        Conditions { clock: Some(0..=1200), ..Conditions::default() },
    ] {
        let query = RecordQuery { all: true, conditions: conditions.clone() };
        let asked = ReportQuery { all: true, conditions, ..ReportQuery::default() };
        let report = report(&session, &asked, &mut |_| {}).unwrap();
        for (table, key, mut expected) in [
            (Table::Ios, "io", Vec::from_iter(report.ios.iter().map(|io| io.id))),
            (Table::Bios, "bio", Vec::from_iter(report.bios.iter().map(|bio| bio.id))),
        ] {
            let lines = text(&guest, FormatName::Ndjson, table, &query);
            let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()[key].as_u64().unwrap();
            let mut found = Vec::from_iter(lines.lines().map(number));
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{:?}", query.conditions);
        }
    }
}

/// The weights of a folded export, by stack.
fn weights(guest: &SyntheticGuest, query: &RecordQuery) -> BTreeMap<String, u64> {
    let folded = text(guest, FormatName::Folded, Table::Ios, query);
    let pair = |line: &str| {
        let (stack, weight) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), weight.parse().unwrap())
    };
    folded.lines().map(pair).collect()
}

#[test]
fn weights_of_stacks_add_up_to_the_workload() {
    for guest in [direct_write(), buffered(), small()] {
        let session = Session::from_bytes(guest.file()).unwrap();
        let marks = &session.times().unwrap().marks;
        let (begin, end) = iotrace::analysis::workload(marks).unwrap_or((0, None));
        let last = guest.events.iter().map(|event| event.clock).max().unwrap();
        let sum: u64 = weights(&guest, &RecordQuery::default()).values().sum();
        assert_eq!(sum, end.unwrap_or(last) - begin);
    }
}

#[test]
fn stacks_are_of_their_contexts() {
    let all = weights(&direct_write(), &RecordQuery::default());
    insta::assert_snapshot!(all.iter().map(|(stack, weight)| format!("{stack} {weight}\n")).collect::<String>());
    let of_write = weights(&direct_write(), &by_syscall("pwrite"));
    assert!(!of_write.is_empty() && of_write.iter().all(|(stack, weight)| all[stack] >= *weight), "{of_write:?}");
    assert!(of_write.keys().all(|stack| stack.starts_with("dd/42;sys_pwrite")), "{of_write:?}");
    assert_eq!(weights(&direct_write(), &by_syscall("fsync")).len(), 0);
}

//! Exports of traces made by hand, read back as their readers would.

use super::format::{FormatName, FormatOptions};
use super::output::ExportTarget;
use super::rows::RecordTable;
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
    tables: &[RecordTable],
    query: &RecordQuery,
) -> BTreeMap<String, Vec<u8>> {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("out");
    let single = tables.len() == 1 && to != FormatName::Blktrace;
    let path = if single { place.path().join("one") } else { folder.clone() };
    let session = Session::from_bytes(guest.file()).unwrap();
    let target = ExportTarget::new(Some(&path));
    let mut format = to.begin(&FormatOptions { tables, query }, &target).unwrap();
    let end = records(&session, query, format.as_mut(), &mut |_| {}).unwrap();
    format.add_rest(&session, &end, &mut |_| {}).unwrap();
    assert!(!path.is_file() && fs::read_dir(&folder).is_ok_and(|mut all| all.next().is_none()) != single);
    format.close().unwrap();
    let read = if single { place.path() } else { &folder };
    let files = fs::read_dir(read).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read(file).unwrap()))
        .collect()
}

/// The only file of an export.
pub fn one(guest: &SyntheticGuest, to: FormatName, table: RecordTable, query: &RecordQuery) -> Vec<u8> {
    exported(guest, to, &[table], query).into_values().next().unwrap()
}

fn text(guest: &SyntheticGuest, to: FormatName, table: RecordTable, query: &RecordQuery) -> String {
    String::from_utf8(one(guest, to, table, query)).unwrap()
}

fn by_syscall(name: &str) -> RecordQuery {
    let conditions = Conditions { syscall: Some(name.to_owned()), ..Conditions::default() };
    RecordQuery { conditions, ..RecordQuery::default() }
}

#[test]
fn tables_are_those_of_the_trace() {
    let mut all = String::new();
    for table in RecordTable::value_variants() {
        let csv = text(&direct_write(), FormatName::Csv, *table, &RecordQuery::default());
        let rows: Vec<_> = csv.lines().take(4).collect();
        all += &format!("{}: {} rows\n{}\n\n", table.name(), csv.lines().count() - 1, rows.join("\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn both_formats_have_the_same_columns_and_rows() {
    let tables = RecordTable::value_variants();
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
            (RecordTable::Ios, "io", Vec::from_iter(report.ios.iter().map(|io| io.id))),
            (RecordTable::Bios, "bio", Vec::from_iter(report.bios.iter().map(|bio| bio.id))),
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
    let folded = text(guest, FormatName::Folded, RecordTable::Ios, query);
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
    insta::assert_snapshot!(
        all.iter().map(|(stack, weight)| format!("{stack} {weight}\n")).collect::<String>()
    );
    let of_write = weights(&direct_write(), &by_syscall("pwrite"));
    assert!(
        !of_write.is_empty() && of_write.iter().all(|(stack, weight)| all[stack] >= *weight),
        "{of_write:?}"
    );
    assert!(of_write.keys().all(|stack| stack.starts_with("dd;sys_pwrite")), "{of_write:?}");
    assert_eq!(weights(&direct_write(), &by_syscall("fsync")).len(), 0);
}

/// A record of blktrace: time, sector, bytes, action, thread id, device, what follows.
type BlktraceRecord = (u64, u64, u32, u32, u32, u32, Vec<u8>);

/// The records of a file of blktrace.
fn blktrace_records(mut file: &[u8]) -> Vec<BlktraceRecord> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        assert_eq!((word(0), word(4) as usize), (0x6561_7407, records.len() + 1), "magic and sequence");
        let after = 48 + usize::from(u16::from_le_bytes(file[46..48].try_into().unwrap()));
        records.push((long(8), long(16), word(24), word(28), word(32), word(36), file[48..after].to_vec()));
        file = &file[after..];
    }
    records
}

#[test]
fn block_events_are_records_of_blktrace() {
    let files = exported(&direct_write(), FormatName::Blktrace, &[RecordTable::Ios], &RecordQuery::default());
    assert_eq!(Vec::from_iter(files.keys()), ["8_0.blktrace.0"]);
    let records = blktrace_records(&files["8_0.blktrace.0"]);
    let sda = 8 << 20;
    let (writes, of_file_system) = (1 << 17 | 1 << 19, 1 << 24);
    let name = |comm: &[u8]| [comm, &[0; 16][comm.len()..]].concat();
    assert_eq!(
        records,
        [
            (4400, 0, 0, 1 << 26, 42, sda, name(b"dd")),
            (4400, 88, 4096, 1 | 1 << 20 | writes, 42, sda, vec![]),
            (4440, 88, 4096, 4 | 1 << 20 | writes, 42, sda, vec![]),
            (4800, 88, 4096, 7 | 1 << 22 | of_file_system | writes, 42, sda, vec![]),
            (12720, 0, 0, 1 << 26, 0, sda, name(b"swapper")),
            (12720, 88, 4096, 8 | 1 << 23 | of_file_system | writes, 0, sda, vec![]),
        ]
    );
}

#[test]
fn what_block_events_do_not_have_is_refused() {
    let place = TempDir::new().unwrap();
    let target = ExportTarget::new(Some(place.path()));
    let query = by_syscall("pwrite");
    let refused =
        FormatName::Blktrace.begin(&FormatOptions { tables: &[RecordTable::Ios], query: &query }, &target);
    assert!(refused.err().is_some_and(|error| error.to_string().contains("--syscall does not apply")));
    let twice = FormatOptions {
        tables: &[RecordTable::Ios, RecordTable::Bios, RecordTable::Ios],
        query: &RecordQuery::default(),
    };
    let refused = FormatName::Csv.begin(&twice, &target);
    assert!(refused.err().is_some_and(|error| error.to_string().contains("ios is given twice")));
}

#[test]
fn a_directory_of_ctf_has_its_events_described() {
    let files = exported(
        &direct_write(),
        FormatName::Ctf,
        &[RecordTable::Ios, RecordTable::Bios],
        &RecordQuery::default(),
    );
    let metadata = std::str::from_utf8(&files["metadata"]).unwrap();
    assert!(metadata.starts_with("/* CTF 1.8 */"));
    for event in
        ["block_rq_issue", "syscall_entry_pwrite", "syscall_exit_pwrite", "sched_switch", "softirq_entry"]
    {
        assert!(metadata.contains(&format!("name = \"{event}\";")), "{metadata}");
    }
    let stream = &files["channel0_0"];
    let long = |at: usize| u64::from_le_bytes(stream[at..at + 8].try_into().unwrap());
    assert_eq!((&stream[..4], long(24)), (&0xc1fc_1fc1_u32.to_le_bytes()[..], stream.len() as u64 * 8));
    // The state dump comes first; then the entry of the system call, of which the descriptor and the count are known.
    assert!(metadata.contains("name = \"lttng_statedump_process_state\";"), "{metadata}");
    let number = |name: &str| {
        let (_, after) = metadata.split_once(&format!("name = \"{name}\";\n    id = ")).unwrap();
        after.split_once(';').unwrap().0.parse::<u16>().unwrap().to_le_bytes()
    };
    let begin =
        [&number("syscall_entry_pwrite")[..], &4000_u64.to_le_bytes(), &42_u32.to_le_bytes()].concat();
    let at = stream.windows(begin.len()).position(|bytes| bytes == begin).unwrap();
    assert_eq!(stream[44..46], number("lttng_statedump_start"));
    let entry = &stream[at..];
    assert_eq!((&entry[34..38], &entry[38..46]), (&3_u32.to_le_bytes()[..], &4096_u64.to_le_bytes()[..]));
}

/// The rows of a table of Parquet, as JSON has them.
#[cfg(feature = "parquet")]
fn parquet_rows(file: Vec<u8>) -> Vec<Value> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    let cell = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::Str(value) => value.clone().into(),
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    rows.map(|row| row.get_column_iter().map(|(name, field)| (name.clone(), cell(field))).collect()).collect()
}

#[cfg(feature = "parquet")]
#[test]
fn tables_of_parquet_have_the_rows_of_json_with_their_types() {
    let tables = RecordTable::value_variants();
    for guest in [direct_write(), buffered()] {
        let parquet = exported(&guest, FormatName::Parquet, tables, &RecordQuery::default());
        let json = exported(&guest, FormatName::Ndjson, tables, &RecordQuery::default());
        assert_eq!(parquet.len(), tables.len());
        for table in tables {
            let rows = parquet_rows(parquet[&format!("{}.parquet", table.name())].clone());
            let lines = std::str::from_utf8(&json[&format!("{}.ndjson", table.name())]).unwrap();
            let expected: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(rows, expected, "{}", table.name());
        }
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_parquet_says_how_to_get_it() {
    let place = TempDir::new().unwrap();
    let query = RecordQuery::default();
    let options = FormatOptions { tables: &[RecordTable::Ios], query: &query };
    let refused = FormatName::Parquet.begin(&options, &ExportTarget::new(Some(place.path())));
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("scripts/install") && refused.contains("--features iotrace-analyze/parquet"),
        "{refused}"
    );
}

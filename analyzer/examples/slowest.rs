//! Prints the ten slowest I/Os of a trace: `cargo run --example slowest -- trace.iot`.

use iotrace::analysis::report::{ReportQuery, SortBy, report};
use iotrace::{Session, SessionOptions};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: slowest TRACE")?;
    let session = Session::open(Path::new(&path), SessionOptions::default())?;
    let query = ReportQuery { rows: 10, sort: SortBy::Elapsed, ..ReportQuery::default() };
    let report = report(&session, &query, &mut |_| {})?;
    for io in &report.ios {
        let elapsed = io.left.and_then(|left| report.time.between(io.entered, left));
        let elapsed = elapsed.map_or_else(|| "unknown".to_owned(), |ns| format!("{ns} ns"));
        let file = io.file.as_ref().map_or("", |file| &file.name);
        println!("#{} {} {file} {elapsed}, bios {:?}", io.id, io.syscall, io.all_bios());
    }
    Ok(())
}

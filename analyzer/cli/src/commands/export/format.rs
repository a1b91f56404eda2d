//! The formats: the registry, and what one has to do.

use super::output::ExportTarget;
use super::rows::RecordTable;
use anyhow::Result;
use clap::ValueEnum;
use iotrace::analysis::records::{RecordQuery, RecordSink, RecordsEnd};
use iotrace::{Progress, Session};

/// What a format is told.
#[derive(Debug)]
pub struct FormatOptions<'a> {
    /// The tables to write.
    pub tables: &'a [RecordTable],
    /// What is exported.
    pub query: &'a RecordQuery,
}

/// A format while it is written: it takes records.
pub trait ExportFormat: RecordSink {
    /// All records were taken: adds what is known only now, and what needs the paths of I/Os.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn add_rest(&mut self, _session: &Session, _end: &RecordsEnd, _progress: Progress<'_>) -> Result<()> {
        Ok(())
    }

    /// Completes the files, which get their names only here. Returns how many records they have.
    ///
    /// # Errors
    /// What could not be written, also before.
    fn close(self: Box<Self>) -> Result<u64>;
}

/// Makes the registry.
macro_rules! formats {
    ($($(#[doc = $doc:literal])* $name:ident($text:literal) = $begin:path,)*) => {
        /// A format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum FormatName {
            $($(#[doc = $doc])* #[value(name = $text)] $name,)*
        }

        impl FormatName {
            /// Begins an export.
            ///
            /// # Errors
            /// If the format cannot be what is asked for, or the files cannot be written.
            pub fn begin(self, options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<Box<dyn ExportFormat>> {
                match self {
                    $(Self::$name => Ok(Box::new($begin(options, target)?)),)*
                }
            }
        }
    };
}

formats! {
    /// Comma-separated values: --table, with a line of names
    Csv("csv") = super::csv::begin,
    /// JSON, one object per line: --table (described in schemas/json/export.schema.json)
    Ndjson("ndjson") = super::ndjson::begin,
    /// Apache Parquet: --table, with types, for DuckDB and Spark; --append keeps the traces of many runs
    Parquet("parquet") = super::parquet::begin,
    /// Folded stacks of all contexts, weighted by instructions, for flame graphs
    Folded("folded") = super::folded::begin,
    /// Common Trace Format 1.8 with the names of LTTng, for babeltrace2 and Trace Compass; --output is a directory
    Ctf("ctf") = super::ctf::begin,
    /// Perfetto, for ui.perfetto.dev: calls of tasks and interrupts, bios, hand-offs as flows
    Perfetto("perfetto") = super::perfetto::begin,
    /// Files of blktrace, one per device, for blkparse and btt; --output is a directory
    Blktrace("blktrace") = super::blktrace::begin,
    /// trace.dat of trace-cmd: function graph, block events, interrupts, switches of tasks
    TraceDat("trace-dat") = super::trace_dat::begin,
    /// Firefox Profiler, for profiler.firefox.com: stacks of tasks and interrupts weighted by instructions, I/Os, bios
    Firefox("firefox") = super::firefox::begin,
}

//! `check`: what of a guest will be traced.

pub mod json;
pub mod text;

use super::question::style;
use super::status::Status;
use super::{Format, ReadArgs, RunCommand};
use crate::view::terminal::output;
use anyhow::{Context, Result, ensure};
use clap::Args;
use iotrace::analysis::coverage::{self, Coverage};
use iotrace::analysis::machine::{self, MachineFinding};
use iotrace_catalog::Catalog;
use iotrace_profile::summary::{self, KernelSummary};
use iotrace_profile::{Profile, Sources};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  iotrace-analyze check vmlinux --modules /lib/modules/6.1.0-50-amd64 --qemu '-device virtio-blk-pci,drive=d'"
)]
pub struct CheckCommand {
    /// vmlinux of the kernel, a profile compiled from one (-o), or a directory with vmlinux, modules and debug
    #[arg(value_name = "KERNEL")]
    pub kernel: PathBuf,
    /// Directory of the kernel's modules
    #[arg(long, value_name = "FOLDER")]
    pub modules: Option<PathBuf>,
    /// Directory of the modules' debug files
    #[arg(long, value_name = "FOLDER")]
    pub debug: Option<PathBuf>,
    /// Arguments of QEMU for the guest, as one word: what of that machine is traced
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub qemu: Option<String>,
    /// List the functions of the catalog
    #[arg(long)]
    pub functions: bool,
    /// Additional catalog file (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// Write the compiled profile (for kernel= of the plugin)
    #[arg(short, long, value_name = "PROFILE")]
    pub output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What is found.
#[derive(Debug)]
pub struct Checked {
    /// The catalog's functions.
    pub coverage: Coverage,
    /// What is traced.
    pub summary: KernelSummary,
    /// The same of the machine, if it was specified.
    pub machine: Option<Vec<MachineFinding>>,
}

impl RunCommand for CheckCommand {
    fn run(&self, _: ReadArgs) -> Result<Status> {
        let profile = self.profile()?;
        if let Some(path) = &self.output {
            profile.write(path)?;
        }
        let summary = summary::summary(&profile);
        let arguments = self.qemu.as_deref().map(machine::words);
        let machine = arguments.map(|arguments| machine::machine(&arguments, &summary, &profile.controllers));
        let checked = Checked { coverage: coverage::coverage(&profile), summary, machine };
        let mut out = output(self.format.into());
        match self.format {
            Format::Text => text::write_text(&mut out, &checked, self.functions, style())?,
            Format::Json => json::write(&mut out, &checked)?,
        }
        out.flush()?;
        Ok(Status::Success)
    }
}

impl CheckCommand {
    /// Reads or compiles the kernel's profile.
    fn profile(&self) -> Result<Profile> {
        if self.kernel.is_file() && Profile::is_profile(&self.kernel) {
            let compiled = self.modules.is_some() || self.debug.is_some() || !self.catalog.is_empty();
            ensure!(
                !compiled,
                "{} is compiled: --modules, --debug and --catalog need the vmlinux",
                self.kernel.display()
            );
            return Ok(Profile::read(&self.kernel)?);
        }
        let read = |path: &PathBuf| {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Ok((path.display().to_string(), text))
        };
        let files = self.catalog.iter().map(read).collect::<Result<Vec<_>>>()?;
        let sources = self.sources();
        let what = || format!("matching the catalog against {}", sources.vmlinux.display());
        let catalog = Catalog::load(&files, sources.arch().with_context(what)?)?;
        iotrace_profile::compile(&catalog, &sources).with_context(what)
    }

    /// The kernel's files: of a directory those that have the usual names.
    fn sources(&self) -> Sources {
        let of_folder =
            |name: &str| Some(self.kernel.join(name)).filter(|path| path.is_dir() && holds_any(path));
        let vmlinux = if self.kernel.is_dir() { self.kernel.join("vmlinux") } else { self.kernel.clone() };
        let modules = self.modules.clone().or_else(|| of_folder("modules"));
        Sources { vmlinux, modules, debug: self.debug.clone().or_else(|| of_folder("debug")), lines: true }
    }
}

fn holds_any(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

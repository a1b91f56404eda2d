//! `kernel`: what the catalog finds in a kernel.

pub mod json;
pub mod text;

use super::question::style;
use super::status::Status;
use super::{Format, ReadArgs, RunCommand};
use crate::view::terminal::output;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::analysis::coverage;
use iotrace_catalog::Catalog;
use iotrace_profile::Sources;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `kernel`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze kernel vmlinux --modules /lib/modules/6.1.0-50-amd64 -o kernel.profile")]
pub struct KernelCommand {
    /// vmlinux of the kernel
    #[arg(value_name = "VMLINUX")]
    pub vmlinux: PathBuf,
    /// Directory of the kernel's modules
    #[arg(long, value_name = "FOLDER")]
    pub modules: Option<PathBuf>,
    /// Directory of the modules' debug files
    #[arg(long, value_name = "FOLDER")]
    pub debug: Option<PathBuf>,
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

impl RunCommand for KernelCommand {
    fn run(&self, _: ReadArgs) -> Result<Status> {
        let read = |path: &std::path::PathBuf| {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Ok((path.display().to_string(), text))
        };
        let files = self.catalog.iter().map(read).collect::<Result<Vec<_>>>()?;
        let sources = Sources {
            vmlinux: self.vmlinux.clone(),
            modules: self.modules.clone(),
            debug: self.debug.clone(),
            lines: true,
        };
        let what = || format!("matching the catalog against {}", self.vmlinux.display());
        let catalog = Catalog::load(&files, sources.arch().with_context(what)?)?;
        let profile = iotrace_profile::compile(&catalog, &sources).with_context(what)?;
        if let Some(path) = &self.output {
            profile.write(path)?;
        }
        let coverage = coverage::coverage(&profile);
        let mut out = output(self.format.into());
        match self.format {
            Format::Text => text::write_text(&mut out, &coverage, style())?,
            Format::Json => json::write(&mut out, &coverage)?,
        }
        out.flush()?;
        Ok(Status::Success)
    }
}

//! `whatif`: the workload on a device with other service times.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::default_rows;
use super::question::Question;
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::whatif::{self, DeviceModel, WhatIfQuery, whatif};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `whatif`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  iotrace-analyze whatif demo.iot --device read=80us+1us/KiB,write=20us,flush=1ms,depth=32"
)]
pub struct WhatIfCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Device model: read=100us+1us/KiB,write=50us+2us/KiB,flush=1ms,discard=1ms,depth=N
    ///
    /// A service time is FIXED[+PER/UNIT]: a fixed time in ns, us, ms or s, and a time per KiB or MiB. Operations
    /// without a model keep their recorded device time. depth=N: the device serves at most N requests at the same time
    /// [default: unlimited]; further requests wait in FIFO order.
    #[arg(long, value_name = "MODEL")]
    pub device: DeviceModel,
    /// Show the first N I/Os [default: 10000 as text, all as JSON]
    #[arg(long, alias = "limit", value_name = "N")]
    pub top: Option<usize>,
}

impl Question for WhatIfCommand {
    type Answer = whatif::WhatIf;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let rows = self.top.unwrap_or(default_rows(self.common.format));
        Ok(Some(whatif(session, &WhatIfQuery { model: self.device, rows }, progress)?))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        text::write_text(out, answer, style)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer)
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.cut.clone()
    }
}

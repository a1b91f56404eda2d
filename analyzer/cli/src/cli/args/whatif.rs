//! Of `whatif`.

use super::{Format, ROWS, TraceArgs};
use clap::Args;
use iotrace::analysis::whatif::{DeviceModel, WhatIfQuery};

/// Of `whatif`.
#[derive(Debug, Args)]
pub struct WhatIfArgs {
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
    /// Maximum number of I/Os to show [default: 10000 as text, all as JSON]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl WhatIfArgs {
    /// What was asked.
    #[must_use]
    pub fn question(&self) -> WhatIfQuery {
        let most = match self.common.format {
            Format::Text => ROWS,
            Format::Json => usize::MAX,
        };
        WhatIfQuery { model: self.device, rows: self.limit.unwrap_or(most) }
    }
}

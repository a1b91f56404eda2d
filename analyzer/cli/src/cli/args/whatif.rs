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
    /// The other device: read=100us+1us/KiB,write=50us+2us/KiB,flush=1ms,discard=1ms,depth=N
    ///
    /// A time is fixed, or fixed and more for each KiB or MiB: FIXED[+PER/UNIT], numbers or decimals of ns, us, ms or
    /// s. Operations that are not given keep their recorded device time. depth=N: the device serves so many requests
    /// at the same time (default: all that it is given); those beyond begin when one in service ends, in the order in
    /// which they were handed over.
    #[arg(long, value_name = "MODEL")]
    pub device: DeviceModel,
    /// Show at most so many I/Os; if not given, 10000 as text and all as JSON
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

//! What a piece of work goes back to, in words.

use super::json;
use super::text::plain;
use iotrace::model::{Cause, Definitions, Task};

/// In a line, the nearest first.
#[must_use]
pub fn line(cause: &Cause, definitions: &Definitions) -> String {
    cause.chain().map(|link| words(link, definitions)).collect::<Vec<_>>().join(" ← ")
}

/// A task, as tables name it.
#[must_use]
pub fn task(task: &Task) -> String {
    format!("{}/{}", task.comm, task.pid)
}

/// Name of a function's address.
#[must_use]
pub fn function(address: u64, definitions: &Definitions) -> String {
    definitions.symbols.get(&address).map_or_else(|| json::hex(address), |name| plain(name))
}

fn words(cause: &Cause, definitions: &Definitions) -> String {
    match cause {
        Cause::Syscall { io, name, task: by } => format!("{} #{io} by {}", plain(name), task(by)),
        Cause::Work { function: address, task: by, .. } => {
            format!("work {} by {}", function(*address, definitions), task(by))
        }
        Cause::Timer { function: address, .. } => format!("timer {}", function(*address, definitions)),
        Cause::Interrupt { irq: 0 } => "interrupt".to_owned(),
        Cause::Interrupt { irq } => format!("interrupt {irq}"),
        Cause::Softirq => "softirq".to_owned(),
        Cause::Thread { task: this, .. } => task(this),
        Cause::Unknown => "unknown context".to_owned(),
    }
}

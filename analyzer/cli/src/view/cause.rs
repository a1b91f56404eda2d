//! What a piece of work originates from, in words.

use super::json;
use super::text::plain;
use iotrace::model::{Cause, Definitions, Task};

/// In a line, the nearest first: what it originates from, then why that runs.
#[must_use]
pub fn line(cause: &Cause, definitions: &Definitions) -> String {
    let links = cause.chain().zip(cause.chain().skip(1).map(Some).chain([None]));
    let words = links.map(|(link, next)| words(link, definitions) + next.map_or("", |_| separator(link)));
    words.collect()
}

/// What stands between a link and the one before it.
fn separator(link: &Cause) -> &'static str {
    match link {
        Cause::Kernel { .. } => " ",
        Cause::Thread { .. } => ", woken by ",
        Cause::Timer { .. } => ", started by ",
        Cause::Fault { .. } => " in ",
        _ => " ← ",
    }
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
        Cause::Fault { io, address, task: by, .. } => {
            format!("page fault #{io} at {} by {}", json::hex(*address), task(by))
        }
        Cause::Kernel { io, .. } => format!("#{io}"),
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

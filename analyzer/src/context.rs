//! Who runs, at which level, in which call, and at what virtual time.
//!
//! - [`Tasks`]: names of tasks at the moment at hand.
//! - [`TaskHistory`]: names of tasks at each clock of a stretch.
//! - [`StatedContext`]: what a part of a trace states of what was before it.
//! - [`Calls`]: open calls of each task and of what interrupts it.
//! - [`TimeKeeper`]: builds the [`crate::model::TimeMap`] from clock and idle events.

mod calls;
mod stated;
mod task_history;
mod tasks;
mod time;

pub use calls::{CallFrame, Calls, DEEPEST, Left};
pub use stated::StatedContext;
pub use task_history::TaskHistory;
pub use tasks::Tasks;
pub use time::TimeKeeper;

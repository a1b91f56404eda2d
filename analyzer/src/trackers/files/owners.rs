//! Work of the kernel's own that queues bios or dirties pages: which I/O it is.
//!
//! In: calls that such work runs in, causes, names of functions. Out: numbers of I/Os, names.

use crate::hash::Map;
use crate::model::{CallId, Cause, IoId};
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Work under way, by the outermost call of its context.
#[derive(Debug, Default, Encode, Decode)]
pub struct KernelWork {
    open: BTreeMap<CallId, IoId>,
    functions: Unsaved<Map<u64, Arc<str>>>,
}

impl KernelWork {
    /// A function's address has a name.
    pub fn name_function(&mut self, address: u64, name: &str) {
        self.functions.insert(address, name.into());
    }

    /// The I/O of the work in a call.
    pub fn of_call(&self, call: CallId) -> Option<IoId> {
        self.open.get(&call).copied()
    }

    /// Work begins in a call.
    pub fn begin(&mut self, call: CallId, io: IoId) {
        // Calls that ended unseen.
        while self.open.len() >= super::live::MOST {
            self.open.pop_first();
        }
        self.open.insert(call, io);
    }

    /// A call ended: the I/O that is over with it.
    #[inline]
    pub fn ended(&mut self, call: CallId) -> Option<IoId> {
        if self.open.is_empty() { None } else { self.open.remove(&call) }
    }

    /// What work is called: by its function, or by the thread that does it; none if nothing is known of it.
    pub fn name(&self, cause: &Cause) -> Option<Arc<str>> {
        match cause {
            Cause::Work { by: Some(by), .. } if matches!(**by, Cause::Work { .. }) => self.name(by),
            Cause::Work { function, .. } | Cause::Timer { function, .. } => {
                let named = self.functions.get(function).cloned();
                Some(named.unwrap_or_else(|| format!("{function:#x}").into()))
            }
            Cause::Thread { task, .. } => Some(task.comm.to_string().into()),
            Cause::Softirq => Some("softirq".into()),
            Cause::Interrupt { .. } => Some("interrupt".into()),
            Cause::Syscall { .. } | Cause::Fault { .. } | Cause::Kernel { .. } | Cause::Unknown => None,
        }
    }
}

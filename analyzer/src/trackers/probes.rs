//! What each probe's words mean, found by their roles once, when the probe is defined.

use crate::hash::Map;
use iotrace_format::definition::{At, Probe, ReturnType, Success};
use iotrace_format::event::{Event, FIRST_PROBE, KindId};
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

const NONE: u8 = u8::MAX;
/// Bits of a minor number in a `dev_t` (MINORBITS in include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

#[derive(Debug)]
struct Known {
    stage: Option<Stage>,
    /// Of a system call: its name.
    syscall: Arc<str>,
    at: At,
    function: u16,
    /// By the roles' numbers, where among the words the one with this role is.
    index: [u8; Role::ALL.len()],
}

/// What is known of a function.
#[derive(Debug)]
struct About {
    name: Arc<str>,
    layer: Layer,
    has_exit: bool,
    success: Option<Success>,
    returns: Option<ReturnType>,
}

/// All probes defined so far.
#[derive(Debug, Default)]
pub struct Probes {
    known: Vec<Option<Known>>,
    functions: Map<(String, String, Option<String>), u16>,
    /// By the functions' numbers.
    about: Vec<About>,
    /// Numbers of the modules whose drivers pass commands on.
    modules: Map<Option<String>, u32>,
    /// Those that tell when a command is put into the controller's queue.
    starting: FxHashSet<u32>,
    /// The module of each dispatch function.
    dispatching: FxHashMap<u16, u32>,
    /// Those whose events were inserted.
    inserted: FxHashSet<KindId>,
}

impl Probes {
    /// Takes in a probe.
    pub fn define(&mut self, probe: &Probe) {
        let Some(at) = probe.id.checked_sub(FIRST_PROBE).map(usize::from) else { return };
        match probe.at {
            At::Inserted => _ = self.inserted.insert(probe.id),
            _ => _ = self.inserted.remove(&probe.id),
        }
        let function = self.function(probe);
        // One whose command cannot be read in this kernel does not tell which is started.
        let told = [Role::Command, Role::Request].into_iter().any(|role| probe.word(role).is_some());
        if probe.stage == Some(Stage::CommandStart) && told {
            let module = self.module(probe);
            self.starting.insert(module);
        }
        if probe.stage == Some(Stage::CommandDispatch) {
            let module = self.module(probe);
            self.dispatching.insert(function, module);
        }
        if probe.at == At::Exit {
            let about = &mut self.about[usize::from(function)];
            (about.has_exit, about.success, about.returns) = (true, probe.success, probe.returns);
        }
        let known = Known {
            syscall: match &probe.stage {
                Some(Stage::Syscall(name)) => Arc::from(&**name),
                _ => Arc::from(""),
            },
            stage: probe.stage.clone(),
            at: probe.at,
            function,
            index: index(probe),
        };
        self.known.resize_with(self.known.len().max(at + 1), || None);
        self.known[at] = Some(known);
    }

    fn function(&mut self, probe: &Probe) -> u16 {
        let next = self.about.len() as u16;
        let key = (probe.function.clone(), probe.symbol.clone(), probe.module.clone());
        let number = *self.functions.entry(key).or_insert(next);
        if number == next {
            let name = probe.function.as_str().into();
            self.about.push(About {
                name,
                layer: probe.layer,
                has_exit: false,
                success: None,
                returns: None,
            });
        }
        number
    }

    fn module(&mut self, probe: &Probe) -> u32 {
        let next = self.modules.len() as u32;
        *self.modules.entry(probe.module.clone()).or_insert(next)
    }

    /// The words of an event of a probe; none if it was not defined.
    #[inline]
    pub fn words<'a>(&'a self, event: &Event<'a>) -> Option<RoleValues<'a>> {
        let at = usize::from(event.kind.checked_sub(FIRST_PROBE)?);
        let known = self.known.get(at)?.as_ref()?;
        let has_exit = self.about.get(usize::from(known.function)).is_some_and(|about| about.has_exit);
        Some(RoleValues { known, words: event.words, has_exit })
    }

    /// Whether an event was inserted into the trace.
    #[inline]
    pub fn is_inserted(&self, event: &Event<'_>) -> bool {
        !self.inserted.is_empty() && self.inserted.contains(&event.kind)
    }

    /// The stage of a probe's function.
    pub fn stage(&self, kind: KindId) -> Option<&Stage> {
        let at = usize::from(kind.checked_sub(FIRST_PROBE)?);
        self.known.get(at)?.as_ref()?.stage.as_ref()
    }

    /// Name of a function.
    pub fn name(&self, function: u16) -> Arc<str> {
        self.about.get(usize::from(function)).map_or_else(|| Arc::from(""), |about| Arc::clone(&about.name))
    }

    /// The layer of a function.
    pub fn layer(&self, function: u16) -> Layer {
        self.about.get(usize::from(function)).map_or(Layer::Other, |about| about.layer)
    }

    /// What a function returns; none if it is not known.
    pub fn returns(&self, function: u16) -> Option<ReturnType> {
        self.about.get(usize::from(function)).and_then(|about| about.returns)
    }

    /// Whether the value that a function returned means success; without such a meaning it always does.
    pub fn succeeded(&self, function: u16, returned: Option<u64>) -> bool {
        match (self.about.get(usize::from(function)).and_then(|about| about.success), returned) {
            (Some(success), Some(value)) => success.holds(value),
            _ => true,
        }
    }

    /// Whether the driver with this dispatch function tells when it starts a command.
    pub fn tells_start(&self, function: u16) -> bool {
        self.dispatching.get(&function).is_some_and(|module| self.starting.contains(module))
    }
}

fn index(probe: &Probe) -> [u8; Role::ALL.len()] {
    let mut index = [NONE; Role::ALL.len()];
    // Of two words with the same role the first counts.
    for (at, role) in (0..NONE).zip(&probe.roles).rev() {
        if let Some(role) = role {
            index[*role as usize] = at;
        }
    }
    index
}

/// The words of one event, by role.
#[derive(Debug)]
pub struct RoleValues<'a> {
    known: &'a Known,
    words: &'a [u64],
    has_exit: bool,
}

impl RoleValues<'_> {
    /// A word; none if the probe has none of that role.
    pub fn get(&self, role: Role) -> Option<u64> {
        self.words.get(usize::from(self.known.index[role as usize])).copied()
    }

    /// Device number of the bio: as the tracepoints print it, of a disk that has none of its own also.
    pub fn bio_dev(&self) -> Option<u64> {
        self.dev(Role::BioDev, Role::BioDisk)
    }

    /// Device number of the request.
    pub fn request_dev(&self) -> Option<u64> {
        self.dev(Role::RequestDev, Role::RequestDisk)
    }

    /// A device number; of a disk that is not registered, what the disk would have (`disk_devt` in include/linux/genhd.h: MKDEV
    /// of its major and its first minor number, the minor number in 20 bits).
    fn dev(&self, role: Role, numbers: Role) -> Option<u64> {
        let of_disk = || {
            let numbers = self.get(numbers).unwrap_or(0);
            (numbers & u64::from(u32::MAX)) << MINOR_BITS | numbers >> 32
        };
        self.get(role).map(|dev| if dev == 0 { of_disk() } else { dev })
    }

    /// The request that the event is about.
    pub fn request(&self) -> Option<u64> {
        self.get(Role::Request).filter(|rq| *rq != 0)
    }

    /// The command that the event is about.
    pub fn command(&self) -> Option<u64> {
        self.get(Role::Command).filter(|cmd| *cmd != 0)
    }

    /// What its function tells.
    pub fn stage(&self) -> Option<&Stage> {
        self.known.stage.as_ref()
    }

    /// Entry or exit.
    pub fn at(&self) -> At {
        self.known.at
    }

    /// Number of the function: the same for its entry and its exits.
    pub fn function(&self) -> u16 {
        self.known.function
    }

    /// Whether the function's exits are probed as well.
    pub fn has_exit(&self) -> bool {
        self.has_exit
    }

    /// Of a system call: its name, as `write`.
    pub fn syscall(&self) -> Arc<str> {
        Arc::clone(&self.known.syscall)
    }

    /// The first of several words that the probe has.
    pub fn any<const N: usize>(&self, roles: [Role; N]) -> Option<u64> {
        roles.into_iter().find_map(|role| self.get(role))
    }
}

#[cfg(test)]
mod tests;

//! What of a guest with a kernel is traced, what is not, why, and what to do.
//!
//! In: a [`Profile`]. Out: a [`KernelSummary`] of its parts, of the drivers of controllers, and of what it lacks as a whole.

use crate::{Controller, FunctionLocation, ProbedFunction, Profile};
use iotrace_format::stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is traced of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSummary {
    /// The kernel's release, or its banner if that has none.
    pub release: String,
    /// Functions of the catalog.
    pub entries: usize,
    /// Those of them that have a probe.
    pub found: usize,
    /// The parts of the catalog.
    pub parts: Vec<PartSummary>,
    /// The drivers of controllers, those without one in the catalog left out.
    pub drivers: Vec<DriverSummary>,
    /// What is missing in all that is traced.
    pub lacks: Vec<Lack>,
}

/// What is traced of a part of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSummary {
    /// What it is about.
    pub title: String,
    /// Functions of the catalog.
    pub entries: usize,
    /// Those of them that have a probe.
    pub found: usize,
    /// The modules that they are in.
    pub modules: Vec<String>,
    /// Stages that no function of the kernel tells.
    pub missing_stages: Vec<String>,
    /// The kernel has nothing of it, or no function of those that tell a stage, which nothing else tells either.
    pub is_absent: bool,
}

/// What is traced of the driver of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSummary {
    /// QEMU's first name of the controller.
    pub controller: String,
    /// The driver's module.
    pub module: String,
    /// What has no probe, with the functions that it would be: empty if all is traced.
    pub missing: Vec<String>,
    /// The driver is not there, neither in the image nor among the modules that were looked at.
    pub is_absent: bool,
    /// Why replays fail, or some of them; empty if they do not.
    pub replay: String,
    /// No replay works.
    pub live_only: bool,
}

/// Something that all of a trace lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is not traced, and why.
    pub what: &'static str,
    /// What to do.
    pub advice: &'static str,
}

const NO_LINES: Lack = Lack {
    what: "no source files, lines and inlined functions: the image has no debug info",
    advice: "use a vmlinux with debug info (Debian: linux-image-RELEASE-dbg; CONFIG_DEBUG_INFO)",
};
const NO_MODULES: Lack = Lack {
    what: "no functions of modules with their arguments: no modules were specified",
    advice: "specify the directory of the kernel's modules (--modules /lib/modules/RELEASE, modules= of the plugin)",
};
const NO_TASKS: Lack = Lack {
    what: "tasks are unknown: current_task was not found",
    advice: "use a vmlinux with debug info, or one with BTF (CONFIG_DEBUG_INFO_BTF)",
};
const NO_CONTEXTS: Lack = Lack {
    what: "the context of events (task, softirq or interrupt) is unknown: preempt_count was not found",
    advice: "use a vmlinux with debug info, or one with BTF (CONFIG_DEBUG_INFO_BTF)",
};
const NO_MODULE_LAYOUT: Lack = Lack {
    what: "functions of modules are not traced: the layout of struct module is unknown",
    advice: "use a vmlinux with debug info, or one with BTF (CONFIG_DEBUG_INFO_BTF)",
};

/// Sums up a profile.
#[must_use]
pub fn summary(profile: &Profile) -> KernelSummary {
    let mut known = BTreeMap::<&str, Vec<&ProbedFunction>>::new();
    for function in &profile.functions {
        known.entry(&function.name).or_default().push(function);
    }
    let parts: Vec<_> = profile
        .parts
        .iter()
        .map(|part| part_summary(profile, &part.functions, &part.title, &known))
        .collect();
    let count = |of: fn(&PartSummary) -> usize| parts.iter().map(of).sum();
    KernelSummary {
        release: release(&profile.banner),
        entries: count(|part| part.entries),
        found: count(|part| part.found),
        drivers: profile
            .controllers
            .iter()
            .filter_map(|controller| driver(profile, controller, &known))
            .collect(),
        lacks: lacks(profile),
        parts,
    }
}

fn release(banner: &str) -> String {
    let words = banner.strip_prefix("Linux version ").and_then(|rest| rest.split(' ').next());
    words.map_or_else(|| banner.trim_end().to_owned(), |release| format!("Linux {release}"))
}

fn part_summary(
    profile: &Profile,
    functions: &[String],
    title: &str,
    known: &BTreeMap<&str, Vec<&ProbedFunction>>,
) -> PartSummary {
    let mut part = PartSummary {
        title: title.to_owned(),
        entries: functions.len(),
        found: 0,
        modules: Vec::new(),
        missing_stages: Vec::new(),
        is_absent: false,
    };
    let (mut staged, mut staged_found) = (false, false);
    let (mut modules, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for function in functions {
        let of_name = known.get(function.as_str()).map_or(&[][..], Vec::as_slice);
        part.found += usize::from(of_name.iter().any(|function| is_found(function)));
        for function in of_name {
            modules.extend(module(function));
            staged |= function.stage.is_some();
            staged_found |= function.stage.is_some() && is_found(function);
            missing.extend(
                function
                    .stage
                    .iter()
                    .filter(|stage| profile.missing_stages.contains(stage))
                    .map(Stage::to_string),
            );
        }
    }
    part.modules = modules.into_iter().map(str::to_owned).collect();
    part.missing_stages = missing.into_iter().collect();
    // A stage of schedulers may be told by the block layer in older kernels.
    part.is_absent = part.found == 0 || staged && !staged_found && !part.missing_stages.is_empty();
    part
}

fn is_found(function: &ProbedFunction) -> bool {
    function.place != FunctionLocation::Elsewhere
}

fn module(function: &ProbedFunction) -> Option<&str> {
    match &function.place {
        FunctionLocation::Module(name) => Some(name),
        _ => None,
    }
}

/// What is traced of a driver; none if the catalog has no driver for the controller.
fn driver(
    profile: &Profile,
    controller: &Controller,
    known: &BTreeMap<&str, Vec<&ProbedFunction>>,
) -> Option<DriverSummary> {
    let name = controller.qemu.first().filter(|_| !controller.module.is_empty())?;
    let has =
        |function: &String| known.get(function.as_str()).is_some_and(|all| all.iter().any(|f| is_found(f)));
    let mut missing = Vec::new();
    let mut check = |what: &str, functions: &[String]| {
        if !functions.iter().any(has) {
            missing.push(format!("{what} ({})", functions.join(", ")));
        }
    };
    check("entry of the driver", &controller.entry);
    check("interrupt", &controller.interrupt);
    let has_device = profile.devices.iter().any(|device| device.name == controller.doorbell);
    if !has_device && !has(&controller.doorbell) {
        missing.push(format!("doorbell ({})", controller.doorbell));
    }
    let is_absent = !controller.entry.iter().any(has)
        && !profile.functions.iter().any(|function| module(function) == Some(&controller.module));
    Some(DriverSummary {
        controller: name.clone(),
        module: controller.module.clone(),
        missing: if is_absent { Vec::new() } else { missing },
        is_absent,
        replay: controller.replay.clone(),
        live_only: controller.live_only,
    })
}

fn lacks(profile: &Profile) -> Vec<Lack> {
    let has_modules = profile.functions.iter().any(|function| module(function).is_some());
    let lacks = [
        (profile.context.current_task.is_none(), NO_TASKS),
        (profile.context.preempt_count.is_none(), NO_CONTEXTS),
        (profile.module.is_none(), NO_MODULE_LAYOUT),
        (!has_modules, NO_MODULES),
        (!profile.lines, NO_LINES),
    ];
    lacks.into_iter().filter_map(|(lacks, lack)| lacks.then_some(lack)).collect()
}

impl DriverSummary {
    /// Everything of it is traced.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.is_absent && self.missing.is_empty()
    }
}

/// In one line.
impl fmt::Display for KernelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} catalog functions found", self.release, self.found, self.entries)?;
        let modules: BTreeSet<_> =
            self.drivers.iter().filter(|driver| driver.is_whole()).map(|d| d.module.as_str()).collect();
        let names = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
        write!(f, "; drivers: {}", names(Vec::from_iter(modules)))?;
        let partly = self.drivers.iter().filter(|driver| !driver.missing.is_empty());
        for driver in partly {
            write!(f, "; {} without {}", driver.module, driver.missing.join(", "))?;
        }
        let present = self.parts.iter().filter(|part| !part.is_absent);
        let stages: BTreeSet<_> = present.flat_map(|part| &part.missing_stages).map(String::as_str).collect();
        if !stages.is_empty() {
            write!(f, "; stages without a probe: {}", Vec::from_iter(stages).join(" "))?;
        }
        self.lacks.iter().try_for_each(|lack| write!(f, "; {}", lack.what))
    }
}

#[cfg(test)]
mod tests;

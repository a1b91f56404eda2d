//! The catalog: what is known of kernels and devices, as data.
//!
//! In: TOML text, ours (`data/*.toml`, compiled in) and the user's. Out: a checked [`Catalog`]. How
//! entries are written is described at the top of `data/block.toml`; every mistake is an error that
//! names the file and the entry. [`reference`]: the stages, roles and layers that an entry may have.

mod entry;
pub mod reference;

use entry::CatalogEntry;
use iotrace_arch::Arch;
use iotrace_format::definition::Device;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_format::suggestion::{did_you_mean, nearest};
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// The files compiled in: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("kernel.toml", include_str!("../data/kernel.toml")),
    ("processor.toml", include_str!("../data/processor.toml")),
    ("irq.toml", include_str!("../data/irq.toml")),
    ("sched.toml", include_str!("../data/sched.toml")),
    ("syscall.toml", include_str!("../data/syscall.toml")),
    ("vfs.toml", include_str!("../data/vfs.toml")),
    ("page_cache.toml", include_str!("../data/page_cache.toml")),
    ("xfs.toml", include_str!("../data/xfs.toml")),
    ("ext4.toml", include_str!("../data/ext4.toml")),
    ("writeback.toml", include_str!("../data/writeback.toml")),
    ("block.toml", include_str!("../data/block.toml")),
    ("single_queue.toml", include_str!("../data/single_queue.toml")),
    ("scheduler.toml", include_str!("../data/scheduler.toml")),
    ("scsi.toml", include_str!("../data/scsi.toml")),
    ("sym53c8xx.toml", include_str!("../data/sym53c8xx.toml")),
    ("fusion.toml", include_str!("../data/fusion.toml")),
    ("megaraid_sas.toml", include_str!("../data/megaraid_sas.toml")),
];

/// What is wrong with a catalog.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CatalogError {
    /// Not TOML, or not of the catalog's form.
    #[error("catalog {file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser said, with the line.
        reason: String,
    },
    /// It is for an architecture that is not known.
    #[error("catalog {file}: arch = {arch:?} is none of {}", Arch::known_names())]
    Arch {
        /// The file.
        file: String,
        /// The architecture.
        arch: String,
    },
    /// An entry contradicts itself or the rest of the catalog.
    #[error("catalog {file}: {entry}: {reason}")]
    Entry {
        /// The file.
        file: String,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// One catalog file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    arch: Option<String>,
    object: Vec<Object>,
    function: Vec<CatalogEntry>,
    device: Vec<Device>,
    context: Option<ContextSymbols>,
    mmio: Vec<MmioEntry>,
    constants: Vec<String>,
    callers: Vec<String>,
}

/// A checked catalog.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Kinds of kernel objects, by name.
    pub objects: BTreeMap<String, Object>,
    /// Functions, in the order of the files.
    pub functions: Vec<CatalogFunction>,
    /// Devices whose registers are known.
    pub devices: Vec<Device>,
    /// How the current task is found.
    pub context: ContextSymbols,
    /// Code that accesses device memory.
    pub mmio: Vec<MmioEntry>,
    /// Enumerators whose values a reader of the trace needs.
    pub constants: Vec<String>,
    /// Functions of the image that are no part of the path and call some of it through pointers.
    pub callers: Vec<String>,
}

/// A kind of kernel object and what can be read of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Name, as functions refer to it.
    pub name: String,
    /// C structure; none for plain memory.
    #[serde(rename = "struct")]
    pub structure: Option<String>,
    /// Field name to paths; the first path that this kernel has is taken.
    pub fields: BTreeMap<String, Paths>,
    /// Fields that hold the address of a function, to be named.
    #[serde(default)]
    pub symbols: Vec<String>,
}

/// One path, or several of which the first that exists is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// The same in all kernels.
    One(String),
    /// In order of preference.
    Any(Vec<String>),
}

impl Paths {
    /// The paths in order of preference.
    #[must_use]
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Any(paths) => paths,
        }
    }
}

/// A function of the I/O path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogFunction {
    /// Name in the newest kernel known; what views print.
    pub name: String,
    /// Names it had in other kernels.
    pub aliases: Vec<String>,
    /// One of [`CATALOG_LAYERS`](iotrace_format::layer::CATALOG_LAYERS).
    pub layer: String,
    /// What it tells about an I/O; none if it is only part of the path.
    pub stage: Option<Stage>,
    /// What views call it by, if it tells no stage; empty for nothing.
    pub label: String,
    /// Functions that, where they exist, tell the stage in this one's place.
    pub unless: Vec<String>,
    /// Defined in a header: probed where it is inlined all the same. Others in headers are helpers, which are inlined
    /// everywhere though older kernels may have them as functions.
    pub header: bool,
    /// Arguments in order: `name`, `name:object`, or `-` for one of no interest.
    pub args: Vec<String>,
    /// Fields read at the entry: `argument.field`, or `argument.*`.
    pub reads: Vec<String>,
    /// The argument or read of each role that the entry states; others have roles by their names, see
    /// [`Self::role`].
    pub roles: BTreeMap<Role, String>,
    /// Probe the returns as well: unless it never returns, or is a label in assembly.
    pub exit: bool,
    /// Name of the return value, recorded at the exit.
    pub ret: String,
    /// What a returned value means success: an enumerator, a number, or `nonzero`; the first that this
    /// kernel has.
    pub success: Vec<String>,
    /// `argument:object.link`: the argument is a `list_head` of objects linked by that field; the probe
    /// records one event for each, with the object in the argument's place.
    pub each: String,
    /// What the plugin does itself when the function is entered: `module-load`, `module-unload`,
    /// `task-begin`, `task-rename`, `power-off`, `fault`.
    pub action: String,
}

impl CatalogFunction {
    /// The name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// Position, name and object of each argument of interest.
    pub fn arguments(&self) -> impl Iterator<Item = (usize, &str, Option<&str>)> {
        self.args.iter().enumerate().filter(|(_, a)| *a != "-").map(|(i, a)| match a.split_once(':') {
            Some((name, object)) => (i, name, Some(object)),
            None => (i, a.as_str(), None),
        })
    }

    /// The fields of `object` that are read through the argument `name`.
    #[must_use]
    pub fn fields<'a>(&'a self, name: &str, object: &'a Object) -> Vec<&'a str> {
        let mut fields = Vec::new();
        for read in &self.reads {
            match read.split_once('.') {
                Some((argument, "*")) if argument == name => {
                    fields.extend(object.fields.keys().map(String::as_str));
                }
                Some((argument, field)) if argument == name => fields.push(field),
                _ => {}
            }
        }
        fields
    }

    /// The role of a word of its event: an argument, or a field read through one.
    #[must_use]
    pub fn role(&self, word: &str) -> Option<Role> {
        let stated = |word: &str| self.roles.iter().find(|(_, of)| *of == word).map(|(role, _)| *role);
        let usual = |argument: &str| Role::usually(argument).filter(|role| !self.roles.contains_key(role));
        let of_argument = |argument: &str| stated(argument).or_else(|| usual(argument));
        stated(word).or_else(|| Role::of_word(word, of_argument))
    }
}

/// Where the kernel tells what is running. Paths are `symbol` or `symbol:structure.field` in the per-CPU data.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextSymbols {
    /// The pointer to the current task.
    pub current_task: Vec<String>,
    /// The preemption count; also `task_struct.field->structure.field`, behind a pointer of the current task.
    pub preempt_count: Vec<String>,
    /// Symbols of kernels whose preemption count has, in its bits 16 to 23, how often interrupts were disabled:
    /// interrupts and NMIs are counted 8 bits further up.
    pub counts_disabled: Vec<String>,
}

/// Code that accesses device memory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MmioEntry {
    /// Functions, by name.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Whole modules, by name.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Record the accesses; otherwise they only set the clock right.
    pub record: bool,
}

impl Catalog {
    /// The catalog compiled in, and `more` files (name and text) on top of it, for kernels of an architecture: files
    /// of another one are only checked. An entry of a later file replaces the one of the same name.
    ///
    /// # Errors
    /// [`CatalogError`] for the first mistake.
    pub fn load(more: &[(String, String)], arch: &Arch) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        let ours = BUILT_IN.iter().map(|(name, text)| (*name, *text));
        let theirs = more.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in ours.chain(theirs) {
            catalog.add(name, text, arch)?;
        }
        catalog.check_references()?;
        Ok(catalog)
    }

    fn add(&mut self, file: &str, text: &str, arch: &Arch) -> Result<(), CatalogError> {
        let parsed: File = toml::from_str(text)
            .map_err(|e| CatalogError::Syntax { file: file.into(), reason: e.to_string() })?;
        if let Some(other) = parsed.arch {
            let known = Arch::named(&other);
            if known.ok_or_else(|| CatalogError::Arch { file: file.into(), arch: other })? != arch {
                return Ok(());
            }
        }
        self.objects.extend(parsed.object.into_iter().map(|o| (o.name.clone(), o)));
        for entry in parsed.function {
            let name = entry.name.clone();
            let function = entry.into_function().map_err(|reason| CatalogError::Entry {
                file: file.into(),
                entry: format!("function {name}"),
                reason,
            })?;
            self.functions.retain(|f| f.name != function.name);
            self.functions.push(function);
        }
        for device in parsed.device {
            self.devices.retain(|d| (d.vendor, d.device) != (device.vendor, device.device));
            self.devices.push(device);
        }
        self.context = parsed.context.unwrap_or(std::mem::take(&mut self.context));
        self.mmio.extend(parsed.mmio);
        self.constants.extend(parsed.constants);
        self.callers.extend(parsed.callers);
        Ok(())
    }

    fn check_references(&self) -> Result<(), CatalogError> {
        for function in &self.functions {
            let checked = self.check_reads(function).and_then(|()| self.check_roles(function));
            checked.map_err(|reason| CatalogError::Entry {
                file: "(all)".into(),
                entry: format!("function {}", function.name),
                reason,
            })?;
        }
        Ok(())
    }

    fn check_reads(&self, function: &CatalogFunction) -> Result<(), String> {
        for (_, name, object) in function.arguments() {
            if let Some(object) = object.filter(|o| !self.objects.contains_key(*o)) {
                return Err(format!("argument {name} is of the unknown object {object:?}"));
            }
        }
        for read in &function.reads {
            let (argument, field) =
                read.split_once('.').ok_or_else(|| format!("{read:?} is not of the form argument.field"))?;
            let object = self
                .object_of(function, argument)
                .ok_or_else(|| format!("{read:?}: {argument:?} is not an argument with an object"))?;
            if field != "*" && !object.fields.contains_key(field) {
                return Err(format!("object {} has no field {field:?}", object.name));
            }
        }
        Ok(())
    }

    /// Whether the words of a function have the roles that its entry states and its stage needs.
    fn check_roles(&self, function: &CatalogFunction) -> Result<(), String> {
        let words = self.words(function);
        let listed =
            if words.is_empty() { "it has none".into() } else { format!("it has {}", words.join(", ")) };
        let near = |name: &str| nearest(name, words.iter().map(String::as_str));
        for (role, word) in &function.roles {
            if !words.contains(word) {
                let meant = did_you_mean(near(word));
                return Err(format!("{role} = {word:?} is no argument and no read: {listed}{meant}"));
            }
        }
        let Some(stage) = &function.stage else { return Ok(()) };
        for any_of in stage.needs() {
            if words.iter().filter_map(|word| function.role(word)).any(|role| any_of.contains(&role)) {
                continue;
            }
            let [names, keys] = [" or ", " or the key "]
                .map(|or| Vec::from_iter(any_of.iter().map(|role| role.name())).join(or));
            let role = any_of[0];
            let same =
                words.iter().map(String::as_str).find(|word| word.rsplit('.').next() == Some(role.usual()));
            let first = || words.first().map(String::as_str);
            let word = same.or_else(|| near(role.usual())).or_else(first).unwrap_or("ARGUMENT");
            return Err(format!(
                "stage {stage} needs an argument or a read with the role {names}: {listed}; give it the key {keys}, \
                 as {role} = {word:?}"
            ));
        }
        Ok(())
    }

    /// The words of a function's event: its arguments, and what is read through them.
    fn words(&self, function: &CatalogFunction) -> Vec<String> {
        let mut words = Vec::new();
        for (_, argument, _) in function.arguments() {
            words.push(argument.to_owned());
            if let Some(object) = self.object_of(function, argument) {
                words.extend(
                    function.fields(argument, object).iter().map(|field| format!("{argument}.{field}")),
                );
            }
        }
        words
    }

    /// The object that an argument of a function points to, or that its list holds.
    #[must_use]
    pub fn object_of(&self, function: &CatalogFunction, argument: &str) -> Option<&Object> {
        let listed = function.each.split_once(':').filter(|(name, _)| *name == argument);
        let object = match listed {
            Some((_, rest)) => rest.split_once('.')?.0,
            None => function.arguments().find(|(_, name, _)| *name == argument)?.2?,
        };
        self.objects.get(object)
    }
}

#[cfg(test)]
mod tests;

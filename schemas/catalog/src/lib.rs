//! The catalog: what is known of kernels and devices, as data.
//!
//! In: TOML text, ours (`data/*.toml`, compiled in) and the user's. Out: a checked [`Catalog`]. How
//! entries are written is described at the top of `data/block.toml`; every mistake is an error that
//! names the file and the entry. A file has at most 1 MiB. [`mod@reference`]: the stages, roles and layers that an entry may have.

mod entry;
mod error;
mod function;
mod part;
pub mod reference;

pub use error::{CatalogError, EntryError};
pub use function::{Action, Argument, CatalogFunction, FieldRead, ListArgument, SuccessValue};
pub use part::{CatalogPart, Controller};

use entry::CatalogEntry;
use iotrace_arch::Arch;
use iotrace_format::definition::Device;
use iotrace_format::suggestion::nearest;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    ("btrfs.toml", include_str!("../data/btrfs.toml")),
    ("writeback.toml", include_str!("../data/writeback.toml")),
    ("block.toml", include_str!("../data/block.toml")),
    ("stacked.toml", include_str!("../data/stacked.toml")),
    ("single_queue.toml", include_str!("../data/single_queue.toml")),
    ("scheduler.toml", include_str!("../data/scheduler.toml")),
    ("scsi.toml", include_str!("../data/scsi.toml")),
    ("sym53c8xx.toml", include_str!("../data/sym53c8xx.toml")),
    ("fusion.toml", include_str!("../data/fusion.toml")),
    ("megaraid_sas.toml", include_str!("../data/megaraid_sas.toml")),
    ("nvme.toml", include_str!("../data/nvme.toml")),
    ("virtio.toml", include_str!("../data/virtio.toml")),
    ("libata.toml", include_str!("../data/libata.toml")),
    ("usb_storage.toml", include_str!("../data/usb_storage.toml")),
];

/// Most bytes of a file; that of the largest which is compiled in is 28 KB. Each entry is compared with those before it.
pub(crate) const LARGEST: usize = 1 << 20;

/// One catalog file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    arch: Option<String>,
    title: Option<String>,
    controller: Vec<Controller>,
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
    /// What the files are about, in their order; a function is of the last file that has it.
    pub parts: Vec<CatalogPart>,
    /// Controllers that QEMU emulates.
    pub controllers: Vec<Controller>,
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
        for (name, text) in BUILT_IN {
            catalog.add(name, text, arch)?;
        }
        catalog.extended(more, arch)
    }

    /// This catalog with files (name and text) on top of it.
    ///
    /// # Errors
    /// As [`Catalog::load`].
    pub fn extended(mut self, more: &[(String, String)], arch: &Arch) -> Result<Self, CatalogError> {
        for (name, text) in more {
            self.add(name, text, arch)?;
        }
        self.check_references()?;
        Ok(self)
    }

    fn add(&mut self, file: &str, text: &str, arch: &Arch) -> Result<(), CatalogError> {
        if text.len() > LARGEST {
            return Err(CatalogError::Large { file: file.into(), bytes: text.len() });
        }
        let parsed: File = toml::from_str(text)
            .map_err(|e| CatalogError::Syntax { file: file.into(), reason: e.to_string() })?;
        if let Some(other) = parsed.arch {
            let known = Arch::named(&other);
            if known.ok_or_else(|| CatalogError::Arch { file: file.into(), arch: other })? != arch {
                return Ok(());
            }
        }
        let mut part =
            CatalogPart { title: parsed.title.unwrap_or_else(|| file.into()), functions: Vec::new() };
        self.objects.extend(parsed.object.into_iter().map(|o| (o.name.clone(), o)));
        for entry in parsed.function {
            let name = entry.name.clone();
            let function = entry.into_function().map_err(|reason| CatalogError::Entry {
                file: file.into(),
                function: name,
                reason: Box::new(reason),
            })?;
            self.functions.retain(|f| f.name != function.name);
            self.parts.iter_mut().for_each(|part| part.functions.retain(|name| *name != function.name));
            part.functions.push(function.name.clone());
            self.functions.push(function);
        }
        if !part.functions.is_empty() {
            self.parts.push(part);
        }
        for controller in parsed.controller {
            self.controllers
                .iter_mut()
                .for_each(|known| known.qemu.retain(|name| !controller.qemu.contains(name)));
            self.controllers.push(controller);
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
                function: function.name.clone(),
                reason: Box::new(reason),
            })?;
        }
        Ok(())
    }

    fn check_reads(&self, function: &CatalogFunction) -> Result<(), EntryError> {
        for Argument { name, object, .. } in &function.arguments {
            if let Some(object) = object.as_ref().filter(|object| !self.objects.contains_key(*object)) {
                let near = nearest(object, self.objects.keys().map(String::as_str)).map(str::to_owned);
                return Err(EntryError::UnknownObject {
                    argument: name.clone(),
                    object: object.clone(),
                    near,
                });
            }
        }
        for read in &function.reads {
            let object = self.object_of(function, &read.argument).ok_or_else(|| {
                EntryError::ReadThroughNoObject { read: read.to_string(), argument: read.argument.clone() }
            })?;
            if let Some(field) = read.field.as_ref().filter(|field| !object.fields.contains_key(*field)) {
                let near = nearest(field, object.fields.keys().map(String::as_str)).map(str::to_owned);
                let (object, field) = (object.name.clone(), field.clone());
                return Err(EntryError::UnknownField { object, field, near });
            }
        }
        Ok(())
    }

    /// Whether the words of a function have the roles that its entry states and its stage needs.
    fn check_roles(&self, function: &CatalogFunction) -> Result<(), EntryError> {
        let words = self.words(function);
        let near = |name: &str| nearest(name, words.iter().map(String::as_str)).map(str::to_owned);
        if let Some((role, word)) = function.roles.iter().find(|(_, word)| !words.contains(word)) {
            let (near, word) = (near(word), word.clone());
            return Err(EntryError::RoleOfNoWord { role: *role, word, words, near });
        }
        if let Some(word) = function.open_file.as_ref().filter(|word| !words.contains(word)) {
            let (near, word) = (near(word), word.clone());
            return Err(EntryError::FileOfNoWord { word, words, near });
        }
        let Some(stage) = &function.stage else { return Ok(()) };
        let has = |role| words.iter().any(|word| function.role(word) == Some(role));
        let Some(any_of) = stage.needs().iter().find(|any_of| !any_of.iter().any(|role| has(*role))) else {
            return Ok(());
        };
        let usual = any_of[0].usual();
        let same = words.iter().find(|word| word.rsplit('.').next() == Some(usual)).cloned();
        let example = same.or_else(|| near(usual)).or_else(|| words.first().cloned());
        let example = example.unwrap_or_else(|| "ARGUMENT".into());
        Err(EntryError::MissingRole { stage: stage.clone(), any_of, words, example })
    }

    /// The words of a function's event: its arguments, and what is read through them.
    fn words(&self, function: &CatalogFunction) -> Vec<String> {
        let mut words = Vec::new();
        for Argument { name, .. } in &function.arguments {
            words.push(name.clone());
            if let Some(object) = self.object_of(function, name) {
                let fields = function.fields(name, object);
                words.extend(fields.iter().map(|field| format!("{name}.{field}")));
            }
        }
        words
    }

    /// The object that an argument of a function points to, or that its list holds.
    #[must_use]
    pub fn object_of(&self, function: &CatalogFunction, argument: &str) -> Option<&Object> {
        self.objects.get(function.object(argument)?)
    }
}

#[cfg(test)]
mod tests;

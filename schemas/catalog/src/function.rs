//! A function's entry, parsed: what its text says, as types.

use crate::Object;
use iotrace_format::event::ShutdownReason;
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use std::collections::BTreeMap;
use std::fmt;

/// A function of the I/O path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogFunction {
    /// Name in the newest kernel known; what views print.
    pub name: String,
    /// Names it had in other kernels.
    pub aliases: Vec<String>,
    /// Where it is: one of [`Layer::CATALOG`].
    pub layer: Layer,
    /// What it tells about an I/O; none if it is only part of the path.
    pub stage: Option<Stage>,
    /// What views call it by, if it tells no stage; empty for nothing.
    pub label: String,
    /// Functions that, where they exist, tell the stage in this one's place.
    pub unless: Vec<String>,
    /// Defined in a header: probed where it is inlined all the same. Others in headers are helpers, which are inlined
    /// everywhere though older kernels may have them as functions.
    pub header: bool,
    /// Arguments of interest, by position.
    pub arguments: Vec<Argument>,
    /// What is read at the entry through arguments.
    pub reads: Vec<FieldRead>,
    /// The argument or read of each role that the entry states; others have roles by their names, see
    /// [`Self::role`].
    pub roles: BTreeMap<Role, String>,
    /// Probe the returns as well: unless it never returns, or is a label in assembly.
    pub exit: bool,
    /// Name of the return value, recorded at the exit; empty for one of no interest.
    pub ret: String,
    /// What a returned value means success: the first that this kernel has.
    pub success: Vec<SuccessValue>,
    /// An argument is a list: the probe records one event for each object in it.
    pub each: Option<ListArgument>,
    /// The argument that is a bio whose bytes of files are recorded, see [`iotrace_format::event::BIO_PAGES`].
    pub pages: Option<String>,
    /// The word that is the number of an open file of the current task: the fields of the object `file` are read too.
    pub open_file: Option<String>,
    /// What the plugin does itself when the function is entered.
    pub action: Action,
}

/// An argument: `name`, or `name:object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Position, from 0.
    pub position: usize,
    /// Name.
    pub name: String,
    /// The kind of object that it points to.
    pub object: Option<String>,
}

/// What is read through an argument: `argument.field`, or `argument.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRead {
    /// The argument.
    pub argument: String,
    /// The field; none for all of the object.
    pub field: Option<String>,
}

/// An argument that is a `list_head` of objects: `argument:object.link`. The object stands in the argument's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListArgument {
    /// The argument.
    pub argument: String,
    /// The kind of object in the list.
    pub object: String,
    /// The field by which they are linked.
    pub link: String,
}

/// A returned value that means success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuccessValue {
    /// `nonzero`.
    NonZero,
    /// A number.
    Number(i64),
    /// An enumerator of the kernel.
    Enumerator(String),
}

impl SuccessValue {
    pub(crate) fn parse(text: &str) -> Self {
        match text.parse() {
            _ if text == "nonzero" => Self::NonZero,
            Ok(number) => Self::Number(number),
            Err(_) => Self::Enumerator(text.to_owned()),
        }
    }
}

/// What the plugin does itself when a function is entered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Action {
    /// It records an event.
    #[default]
    Record,
    /// A module is in place; its `struct module` is the first argument that the entry names.
    ModuleLoad,
    /// A module goes away.
    ModuleUnload,
    /// A task is new: its name and number, and its stack, which may have been another's. It is the first argument that the
    /// entry names.
    TaskBegin,
    /// A task's name is new. The task is the first argument that the entry names.
    TaskRename,
    /// The kernel ends.
    Shutdown(ShutdownReason),
    /// The instruction interrupted will be executed again.
    Fault,
}

impl Action {
    /// Those that a catalog may name.
    pub const NAMED: &[(&str, Self)] = &[
        ("module-load", Self::ModuleLoad),
        ("module-unload", Self::ModuleUnload),
        ("task-begin", Self::TaskBegin),
        ("task-rename", Self::TaskRename),
        ("power-off", Self::Shutdown(ShutdownReason::PowerOff)),
        ("restart", Self::Shutdown(ShutdownReason::Restart)),
        ("halt", Self::Shutdown(ShutdownReason::Halt)),
        ("panic", Self::Shutdown(ShutdownReason::Panic)),
        ("kexec", Self::Shutdown(ShutdownReason::Kexec)),
        ("fault", Self::Fault),
    ];
}

impl fmt::Display for FieldRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.argument, self.field.as_deref().unwrap_or("*"))
    }
}

impl CatalogFunction {
    /// The name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// The kind of object that an argument points to, or that its list holds.
    #[must_use]
    pub fn object(&self, argument: &str) -> Option<&str> {
        match &self.each {
            Some(list) if list.argument == argument => Some(&list.object),
            _ => self.arguments.iter().find(|a| a.name == argument)?.object.as_deref(),
        }
    }

    /// The fields of `object` that are read through `argument`.
    #[must_use]
    pub fn fields<'a>(&'a self, argument: &str, object: &'a Object) -> Vec<&'a str> {
        let mut fields = Vec::new();
        for read in self.reads.iter().filter(|read| read.argument == argument) {
            match &read.field {
                Some(field) => fields.push(field.as_str()),
                None => fields.extend(object.fields.keys().map(String::as_str)),
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

//! What is wrong with a catalog.

use iotrace_arch::Arch;
use iotrace_format::layer::{Layer, UnknownLayer};
use iotrace_format::role::Role;
use iotrace_format::stage::{Stage, StageError};
use iotrace_format::suggestion::did_you_mean;
use thiserror::Error;

/// A catalog cannot be used.
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
    /// A file that is longer than any catalog.
    #[error("catalog {file}: {bytes} bytes, at most {} are read", crate::LARGEST)]
    Large {
        /// The file.
        file: String,
        /// Its bytes.
        bytes: usize,
    },
    /// It is for an architecture that is not known.
    #[error("catalog {file}: arch = {arch:?}: expected one of {}", Arch::known_names())]
    Arch {
        /// The file.
        file: String,
        /// The architecture.
        arch: String,
    },
    /// An entry contradicts itself or the rest of the catalog.
    #[error("catalog {file}: function {function}: {reason}")]
    Entry {
        /// The file.
        file: String,
        /// The function of the entry.
        function: String,
        /// What is wrong with it.
        reason: Box<EntryError>,
    },
}

/// What is wrong with a function's entry.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EntryError {
    /// A key that no entry has.
    #[error("unknown key {key:?}{}", did_you_mean(.near.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// A role's key without a text.
    #[error("{key} must be the name of an argument or of a read")]
    RoleWithoutWord {
        /// The key.
        key: String,
    },
    /// It has no name.
    #[error("missing name")]
    NoName,
    /// Its layer is not known.
    #[error("layer: {0}")]
    Layer(#[from] UnknownLayer),
    /// Its layer is for what is not of the catalog.
    #[error(
        "layer {layer} is reserved for functions outside of the catalog; expected one of {}",
        Layer::names(Layer::CATALOG)
    )]
    NotACatalogLayer {
        /// The layer.
        layer: Layer,
    },
    /// Its stage is not known.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Its action is not known.
    #[error("unknown action {action:?}{}", did_you_mean(.near.as_deref()))]
    Action {
        /// The action.
        action: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// A stage and a label: views could print only one.
    #[error("both a stage and a label")]
    StageAndLabel,
    /// Arguments on the stack.
    #[error("only the {most} arguments in registers can be read")]
    TooManyArguments {
        /// As many as any processor has.
        most: usize,
    },
    /// A name that is not one argument's.
    #[error("duplicate argument name {name:?}")]
    DuplicateArgument {
        /// The name.
        name: String,
    },
    /// A list of another form.
    #[error("each = {each:?} is not of the form argument:object.link")]
    ListForm {
        /// The text.
        each: String,
    },
    /// A bio whose pages are to be recorded in an argument that there is not.
    #[error("pages: {argument:?} is not an argument")]
    PagesArgument {
        /// What the entry names.
        argument: String,
    },
    /// A list that no argument is.
    #[error("each: {argument:?} is not an argument")]
    ListArgument {
        /// The name.
        argument: String,
    },
    /// A return value without an exit.
    #[error("a return value needs the exits probed")]
    ValueWithoutExit,
    /// An object that the catalog does not have.
    #[error("argument {argument} is of the unknown object {object:?}{}", did_you_mean(.near.as_deref()))]
    UnknownObject {
        /// The argument.
        argument: String,
        /// The object.
        object: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// A read of another form.
    #[error("{read:?} is not of the form argument.field")]
    ReadForm {
        /// The text.
        read: String,
    },
    /// A read through something else.
    #[error("{read:?}: {argument:?} is not an argument with an object")]
    ReadThroughNoObject {
        /// The read.
        read: String,
        /// What it goes through.
        argument: String,
    },
    /// A field that the object does not have.
    #[error("object {object} has no field {field:?}{}", did_you_mean(.near.as_deref()))]
    UnknownField {
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// A role is given to a word that is not there.
    #[error("{role} = {word:?} is neither an argument nor a read: {}{}", listed(.words), did_you_mean(.near.as_deref()))]
    RoleOfNoWord {
        /// The role.
        role: Role,
        /// The word.
        word: String,
        /// The words that there are.
        words: Vec<String>,
        /// The nearest of them.
        near: Option<String>,
    },
    /// The number of an open file is a word that is not there.
    #[error("open_file = {word:?} is neither an argument nor a read: {}{}", listed(.words), did_you_mean(.near.as_deref()))]
    FileOfNoWord {
        /// The word.
        word: String,
        /// The words that there are.
        words: Vec<String>,
        /// The nearest of them.
        near: Option<String>,
    },
    /// The stage needs a role that no word has.
    #[error(
        "stage {stage} needs an argument or a read with the role {}: {}; give it the key {}, as {} = \
         {example:?}",
        names(.any_of, " or "), listed(.words), names(.any_of, " or the key "), .any_of[0]
    )]
    MissingRole {
        /// The stage.
        stage: Stage,
        /// The roles of which one is enough; at least one.
        any_of: &'static [Role],
        /// The words that there are.
        words: Vec<String>,
        /// The word that may be meant.
        example: String,
    },
}

fn names(roles: &[Role], between: &str) -> String {
    Vec::from_iter(roles.iter().map(|role| role.name())).join(between)
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "it has none".into() } else { format!("it has {}", words.join(", ")) }
}

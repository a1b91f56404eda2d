//! A function's entry as it is written, and what it must be.
//!
//! In: an entry of a file, all text. Out: a [`CatalogFunction`], with what can be checked without the rest of the catalog.

use crate::error::EntryError;
use crate::function::{Action, Argument, CatalogFunction, FieldRead, ListArgument, SuccessValue};
use iotrace_arch::KNOWN;
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_format::suggestion::nearest;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The keys of an entry besides those of roles.
const KEYS: [&str; 16] = [
    "name",
    "aliases",
    "layer",
    "stage",
    "label",
    "unless",
    "header",
    "args",
    "reads",
    "exit",
    "ret",
    "success",
    "each",
    "pages",
    "open_file",
    "action",
];

/// Stands in `args` for an argument of no interest.
const NO_INTEREST: &str = "-";

/// An entry of a file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CatalogEntry {
    pub name: String,
    aliases: Vec<String>,
    layer: String,
    stage: String,
    label: String,
    unless: Vec<String>,
    header: bool,
    args: Vec<String>,
    reads: Vec<String>,
    #[serde(default = "yes")]
    exit: bool,
    ret: String,
    success: Vec<String>,
    each: String,
    pages: String,
    open_file: String,
    action: String,
    /// The keys of roles, and what is none.
    #[serde(flatten)]
    roles: BTreeMap<String, toml::Value>,
}

fn yes() -> bool {
    true
}

impl CatalogEntry {
    /// The function, unless something in the entry is wrong.
    pub fn into_function(self) -> Result<CatalogFunction, EntryError> {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let function = CatalogFunction {
            roles: roles(&self.roles)?,
            layer: layer(&self.layer)?,
            stage: given(self.stage).map(|name| Stage::parse(&name)).transpose()?,
            arguments: arguments(&self.args)?,
            reads: self.reads.iter().map(|read| field_read(read)).collect::<Result<_, _>>()?,
            success: self.success.iter().map(|value| SuccessValue::parse(value)).collect(),
            each: given(self.each).map(|each| list_argument(&each)).transpose()?,
            pages: given(self.pages),
            open_file: given(self.open_file),
            action: given(self.action).map_or(Ok(Action::default()), |name| action(&name))?,
            name: self.name,
            aliases: self.aliases,
            label: self.label,
            unless: self.unless,
            header: self.header,
            exit: self.exit,
            ret: self.ret,
        };
        check(&function)?;
        Ok(function)
    }
}

fn roles(keys: &BTreeMap<String, toml::Value>) -> Result<BTreeMap<Role, String>, EntryError> {
    let of_arguments = || Role::ALL.iter().filter(|role| role.is_argument() && **role != Role::Caller);
    let role = |(key, value): (&String, &toml::Value)| {
        let Some(role) = of_arguments().find(|role| role.name() == key) else {
            let known = KEYS.into_iter().chain(of_arguments().map(|role| role.name()));
            let near = nearest(key, known).map(str::to_owned);
            return Err(EntryError::UnknownKey { key: key.clone(), near });
        };
        let word = value.as_str().ok_or_else(|| EntryError::RoleWithoutWord { key: key.clone() })?;
        Ok((*role, word.to_owned()))
    };
    keys.iter().map(role).collect()
}

fn layer(name: &str) -> Result<Layer, EntryError> {
    let layer = Layer::parse(name)?;
    if !Layer::CATALOG.contains(&layer) {
        return Err(EntryError::NotACatalogLayer { layer });
    }
    Ok(layer)
}

fn arguments(args: &[String]) -> Result<Vec<Argument>, EntryError> {
    let most = KNOWN.iter().map(|arch| arch.registers.arguments.len()).max().unwrap_or(0);
    if args.len() > most {
        return Err(EntryError::TooManyArguments { most });
    }
    let of_interest = args.iter().enumerate().filter(|(_, text)| *text != NO_INTEREST);
    let argument = |(position, text): (usize, &String)| {
        let (name, object) = text.split_once(':').map_or((text.as_str(), None), |(n, o)| (n, Some(o)));
        Argument { position, name: name.to_owned(), object: object.map(str::to_owned) }
    };
    Ok(of_interest.map(argument).collect())
}

fn field_read(read: &str) -> Result<FieldRead, EntryError> {
    let (argument, field) =
        read.split_once('.').ok_or_else(|| EntryError::ReadForm { read: read.to_owned() })?;
    Ok(FieldRead { argument: argument.to_owned(), field: (field != "*").then(|| field.to_owned()) })
}

fn list_argument(each: &str) -> Result<ListArgument, EntryError> {
    let form = || EntryError::ListForm { each: each.to_owned() };
    let (argument, rest) = each.split_once(':').ok_or_else(form)?;
    let (object, link) = rest.split_once('.').ok_or_else(form)?;
    let [argument, object, link] = [argument, object, link].map(str::to_owned);
    Ok(ListArgument { argument, object, link })
}

fn action(name: &str) -> Result<Action, EntryError> {
    let found = Action::NAMED.iter().find(|(known, _)| *known == name);
    found.map(|(_, action)| *action).ok_or_else(|| {
        let near = nearest(name, Action::NAMED.iter().map(|(known, _)| *known));
        EntryError::Action { action: name.to_owned(), near: near.map(str::to_owned) }
    })
}

/// What the parts of an entry must be to each other.
fn check(function: &CatalogFunction) -> Result<(), EntryError> {
    if function.name.is_empty() {
        return Err(EntryError::NoName);
    }
    if function.stage.is_some() && !function.label.is_empty() {
        return Err(EntryError::StageAndLabel);
    }
    let mut names = BTreeSet::new();
    for argument in &function.arguments {
        if !names.insert(argument.name.as_str()) {
            return Err(EntryError::DuplicateArgument { name: argument.name.clone() });
        }
    }
    if let Some(list) = function.each.as_ref().filter(|list| !names.contains(list.argument.as_str())) {
        return Err(EntryError::ListArgument { argument: list.argument.clone() });
    }
    if let Some(argument) = function.pages.as_ref().filter(|pages| !names.contains(pages.as_str())) {
        return Err(EntryError::PagesArgument { argument: argument.clone() });
    }
    if !function.ret.is_empty() && !function.exit {
        return Err(EntryError::ValueWithoutExit);
    }
    Ok(())
}

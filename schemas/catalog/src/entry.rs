//! A function's entry as it is written, and what it must be.
//!
//! In: an entry of a file, all text. Out: a [`CatalogFunction`], with what can be checked without the rest of the catalog.

use super::CatalogFunction;
use iotrace_arch::KNOWN;
use iotrace_format::layer::CATALOG_LAYERS;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_format::suggestion::{did_you_mean, nearest};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The keys of an entry besides those of roles.
const KEYS: [&str; 14] = [
    "name", "aliases", "layer", "stage", "label", "unless", "header", "args", "reads", "exit", "ret",
    "success", "each", "action",
];

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
    pub fn into_function(self) -> Result<CatalogFunction, String> {
        let stage =
            Some(&self.stage).filter(|name| !name.is_empty()).map(|name| Stage::parse(name)).transpose();
        let function = CatalogFunction {
            roles: roles(&self.roles)?,
            stage: stage.map_err(|error| error.to_string())?,
            name: self.name,
            aliases: self.aliases,
            layer: self.layer,
            label: self.label,
            unless: self.unless,
            header: self.header,
            args: self.args,
            reads: self.reads,
            exit: self.exit,
            ret: self.ret,
            success: self.success,
            each: self.each,
            action: self.action,
        };
        check(&function)?;
        Ok(function)
    }
}

fn roles(keys: &BTreeMap<String, toml::Value>) -> Result<BTreeMap<Role, String>, String> {
    let of_arguments = || Role::ALL.iter().filter(|role| role.is_argument() && **role != Role::Caller);
    let role = |(key, value): (&String, &toml::Value)| {
        let Some(role) = of_arguments().find(|role| role.name() == key) else {
            let known = KEYS.into_iter().chain(of_arguments().map(|role| role.name()));
            return Err(format!("unknown key {key:?}{}", did_you_mean(nearest(key, known))));
        };
        let word =
            value.as_str().ok_or_else(|| format!("{key} must be the name of an argument or of a read"))?;
        Ok((*role, word.to_owned()))
    };
    keys.iter().map(role).collect()
}

/// What can be checked of a function without the rest of the catalog.
fn check(function: &CatalogFunction) -> Result<(), String> {
    const ACTIONS: &[&str] =
        &["", "module-load", "module-unload", "task-begin", "task-rename", "power-off", "fault"];
    if function.name.is_empty() {
        return Err("it has no name".into());
    }
    if !CATALOG_LAYERS.contains(&function.layer.as_str()) {
        return Err(format!("layer {:?} is none of {CATALOG_LAYERS:?}", function.layer));
    }
    if !ACTIONS.contains(&function.action.as_str()) {
        return Err(format!("action {:?} is none of {ACTIONS:?}", function.action));
    }
    if function.stage.is_some() && !function.label.is_empty() {
        return Err("it has both a stage and a label".into());
    }
    let most = KNOWN.iter().map(|arch| arch.registers.arguments.len()).max().unwrap_or(0);
    if function.args.len() > most {
        return Err(format!("only the {most} arguments in registers can be read"));
    }
    let names: BTreeSet<_> = function.arguments().map(|(_, name, _)| name).collect();
    if names.len() != function.arguments().count() {
        return Err("two arguments have the same name".into());
    }
    let listed = function.each.split_once(':').map_or("", |(name, _)| name);
    if !function.each.is_empty() && !names.contains(listed) {
        return Err(format!("each = {:?} names no argument", function.each));
    }
    if !function.ret.is_empty() && !function.exit {
        return Err("a return value needs the exits probed".into());
    }
    Ok(())
}

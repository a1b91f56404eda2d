//! The schemas of the documents, generated from their types.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p iotrace-analyze schemas` writes them to `schemas/json/`.

use super::schemas;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Commands whose schema is of one line of many, without a version of its own.
const LINES: [&str; 1] = ["export"];

/// The name of a command, from that of its module, and the schema of the JSON that it prints.
pub fn of<T: JsonSchema>(module: &str) -> (String, Value) {
    let command = module.replace('_', "-");
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(settle).transform(&mut schema);
    let option = if LINES.contains(&command.as_str()) { "--to ndjson, a line" } else { "--format json" };
    schema.insert("title".into(), format!("iotrace-analyze {command} {option}").into());
    (command, named(schema.to_value()))
}

/// All keys are known. Formats, as `uint64`, say nothing that a type and a minimum do not; links between Rust's items
/// lead nowhere.
fn settle(schema: &mut Schema) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".into(), false.into());
    }
    schema.remove("format");
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
    }
}

/// The definitions under the names of what they describe: `Bio`, not `BioJson`.
fn named(schema: Value) -> Value {
    let mut text = schema.to_string();
    let definitions = schema["$defs"].as_object().map_or_else(Vec::new, |all| all.keys().collect());
    for name in definitions.into_iter().filter_map(|name| name.strip_suffix("Json")) {
        text = text.replace(&format!("\"#/$defs/{name}Json\""), &format!("\"#/$defs/{name}\""));
        text = text.replace(&format!("\"{name}Json\":"), &format!("\"{name}\":"));
    }
    serde_json::from_str(&text).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/json")
}

#[test]
fn schemas_are_those_of_the_documents() {
    let mut files = BTreeSet::new();
    for (name, schema) in schemas() {
        let file = format!("{name}.schema.json");
        let (path, text) = (folder().join(&file), format!("{schema:#}\n"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let same = fs::read_to_string(&path).is_ok_and(|written| written == text);
        assert!(
            same,
            "{file} is not the schema of what is printed: UPDATE_SCHEMAS=1 cargo test -p iotrace-analyze schemas"
        );
        files.insert(file);
    }
    let there =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), files);
}

/// Calls a function with each object of a schema's keys, and with where it is.
fn each_object(schema: &Value, at: &str, see: &mut impl FnMut(&str, &Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) {
                see(at, object);
            }
            object.iter().for_each(|(key, inner)| each_object(inner, &format!("{at}/{key}"), see));
        }
        Value::Array(items) => items.iter().for_each(|inner| each_object(inner, at, see)),
        _ => {}
    }
}

#[test]
fn every_key_is_described_and_required_and_no_other_is_allowed() {
    for (name, schema) in schemas() {
        let mut objects = 0;
        each_object(&schema, &name, &mut |at, object| {
            objects += 1;
            assert_eq!(object["additionalProperties"], false, "{at}");
            let properties = object["properties"].as_object().unwrap();
            let required = object["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
            let keys: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            assert_eq!(required.collect::<BTreeSet<_>>(), keys, "{at}");
            for (key, value) in properties {
                // A single key may be the name of a variant, which is described as a whole.
                let described =
                    value.get("description").or(object.get("description").filter(|_| keys.len() == 1));
                let is_tag = value.get("const").is_some();
                assert!(
                    is_tag || described.is_some_and(|text| text.is_string()),
                    "{at}/{key}: no description"
                );
            }
        });
        assert!(objects > 1, "{name}");
        let first = schema["properties"].get("schema_version").and_then(|version| version.get("const"));
        assert_eq!(first, Some(&json!(1)).filter(|_| !LINES.contains(&name.as_str())), "{name}");
        assert!(schema["description"].is_string(), "{name}");
    }
}

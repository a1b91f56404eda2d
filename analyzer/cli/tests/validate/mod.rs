//! Checks a JSON value against a schema: the part of JSON Schema that our schemas use. A keyword it does
//! not know fails, so that no schema says what is not checked.

use serde_json::Value;

const SILENT: &[&str] = &["$schema", "$id", "title", "description", "$defs"];

/// What does not fit, with where it is.
pub fn validate(root: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(root, root, value, "$", &mut problems);
    problems
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "type" => check_type(rule, value, at, problems),
            "$ref" => {
                let target = rule.as_str().and_then(|r| r.strip_prefix('#')).and_then(|r| root.pointer(r));
                check(root, target.expect("a reference within the file"), value, at, problems);
            }
            "anyOf" => {
                let fits = |choice: &&Value| {
                    let mut own = Vec::new();
                    check(root, choice, value, at, &mut own);
                    own.is_empty()
                };
                if !rule.as_array().unwrap().iter().any(|choice| fits(&choice)) {
                    problems.push(format!("{at}: {value} fits none of the choices"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                problems.push(format!("{at}: {value} is not in {rule}"))
            }
            "minimum" if value.as_f64().is_some_and(|v| v < rule.as_f64().unwrap()) => {
                problems.push(format!("{at}: {value} is under {rule}"));
            }
            "properties" | "required" | "additionalProperties" => {
                check_object(root, schema, value, at, problems, keyword)
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{index}]"), problems);
                }
            }
            "enum" | "minimum" => {}
            other => assert!(SILENT.contains(&other), "the validator does not know {other:?}"),
        }
    }
}

fn check_type(rule: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
    if !names.iter().any(is) {
        problems.push(format!("{at}: {value} is not of type {rule}"));
    }
}

fn check_object(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    problems: &mut Vec<String>,
    keyword: &str,
) {
    let Some(object) = value.as_object() else { return };
    let known = schema["properties"].as_object();
    match keyword {
        "required" => {
            let names = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            problems
                .extend(names.filter(|n| !object.contains_key(*n)).map(|n| format!("{at}: {n} is missing")));
        }
        "properties" => {
            for (name, rule) in known.unwrap() {
                if let Some(inner) = object.get(name) {
                    check(root, rule, inner, &format!("{at}.{name}"), problems);
                }
            }
        }
        _ => {
            let unknown = object.iter().filter(|(name, _)| known.is_none_or(|k| !k.contains_key(*name)));
            for (name, inner) in unknown {
                match &schema["additionalProperties"] {
                    Value::Bool(false) => problems.push(format!("{at}: {name} is not in the schema")),
                    rule => check(root, rule, inner, &format!("{at}.{name}"), problems),
                }
            }
        }
    }
}

//! The JSON Schema of every message, as committed under `schemas/`: what others build against must not change unseen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use millrace_protocol::Entry;

use crate::catalog;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

pub(super) fn file_name(entry: &Entry) -> String {
    format!("{}.v{}.json", entry.message_type, entry.version)
}

pub(super) fn text(entry: &Entry) -> String {
    let mut text = serde_json::to_string_pretty(&entry.schema()).unwrap();
    text.push('\n');
    text
}

/// With `UPDATE_SCHEMAS=1` the files are written anew, to be read before they are committed.
#[test]
fn committed_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for entry in catalog().entries() {
        let path = folder().join(file_name(entry));
        if update {
            fs::write(&path, text(entry)).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let advice = "run the tests with UPDATE_SCHEMAS=1 and read the difference";
        assert_eq!(committed, text(entry), "{} is not what its type says: {advice}", path.display());
    }
}

#[test]
fn there_is_no_schema_of_a_message_that_is_none() {
    let names: BTreeSet<_> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name()).collect();
    let expected: BTreeSet<_> = catalog().entries().iter().map(|entry| file_name(entry).into()).collect();
    // Only these: the ones that are missing are another test's, which may be writing them just now.
    let others: Vec<_> = names.difference(&expected).collect();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        others.iter().for_each(|name| fs::remove_file(folder().join(name)).unwrap());
        return;
    }
    let advice = "run the tests with UPDATE_SCHEMAS=1, which deletes them";
    assert!(others.is_empty(), "no message has these schemas: {others:?}; {advice}");
}

fn validator(entry: &Entry) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&serde_json::to_value(entry.schema()).unwrap())
        .unwrap()
}

#[test]
fn examples_are_valid_by_their_schemas() {
    for entry in catalog().entries() {
        let errors: Vec<_> =
            validator(entry).iter_errors(&entry.example()).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{}", entry.message_type);
    }
}

/// The schema must not refuse what the types accept, nor accept what they refuse, except for what no schema can say.
#[test]
fn schemas_and_types_agree_on_every_spoilt_example() {
    let mut only_types_refuse = BTreeSet::new();
    for entry in catalog().entries() {
        let validator = validator(entry);
        for (place, body) in spoilt(&entry.example()) {
            let by_type = entry.check(&serde_json::to_vec(&body).unwrap()).is_ok();
            let by_schema = validator.is_valid(&body);
            if by_schema && !by_type {
                only_types_refuse.insert(format!("{} {place}", entry.message_type));
            } else {
                assert_eq!(by_type, by_schema, "{} with {place}: {body}", entry.message_type);
            }
        }
    }
    insta::assert_snapshot!(only_types_refuse.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The example with each of its values replaced by others, and with each of its fields taken away.
fn spoilt(example: &Value) -> Vec<(String, Value)> {
    let mut bodies = Vec::new();
    for pointer in places(example, "") {
        for value in [
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(1.5),
            json!(2.0),
            json!(1_000_001),
            json!(9_007_199_254_740_992_i64),
            json!(""),
            json!("x"),
            json!("A\u{0}B"),
            json!("a".repeat(300)),
            json!("XXX"),
            json!([]),
            json!({}),
            json!(["x"]),
        ] {
            let mut body = example.clone();
            let shown = value.to_string();
            *body.pointer_mut(&pointer).unwrap() = value;
            bodies.push((format!("{pointer} = {}", shown.chars().take(20).collect::<String>()), body));
        }
        let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
        let mut body = example.clone();
        if let Some(object) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.remove(field);
            bodies.push((format!("{pointer} left out"), body));
        }
    }
    bodies
}

fn places(value: &Value, pointer: &str) -> Vec<String> {
    let inside: Vec<_> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (format!("{pointer}/{key}"), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (format!("{pointer}/{i}"), value)).collect()
        }
        _ => Vec::new(),
    };
    let deeper = inside.iter().flat_map(|(pointer, value)| places(value, pointer));
    inside
        .iter()
        .map(|(pointer, _)| pointer.clone())
        .chain(deeper)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

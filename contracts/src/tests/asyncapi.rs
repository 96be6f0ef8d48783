//! The AsyncAPI document as committed: what others read must be what the types and the topology say.

use std::fs;
use std::path::Path;

use serde_json::Value;

use millrace_protocol::asyncapi::document;

use crate::catalog;

/// With `UPDATE_SCHEMAS=1` the file is written anew, to be read before it is committed.
#[test]
fn committed_document_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document(catalog())).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let advice = "run the tests with UPDATE_SCHEMAS=1 and read the difference";
    assert!(committed == text, "{} is not what the types and the topology say: {advice}", path.display());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document(catalog());
    let mut places = vec![&document];
    while let Some(place) = places.pop() {
        match place {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap_or_default();
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                places.extend(fields.values());
            }
            Value::Array(items) => places.extend(items),
            _ => {}
        }
    }
}

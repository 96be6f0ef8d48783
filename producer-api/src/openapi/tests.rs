//! The committed OpenAPI document: it must be what the types say, and break no client of the last release.

mod compatibility;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use millrace_contracts::catalog;
use millrace_service::Readiness;
use serde_json::Value;

use super::document;
use crate::routes::{self, Access};

/// With `UPDATE_SCHEMAS=1` the file is written anew, to be read before it is committed.
#[test]
fn committed_document_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document(catalog())).expect("plain data"));
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &text).expect("a file of the project");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let advice = "run the tests with UPDATE_SCHEMAS=1 and read the difference";
    assert!(committed == text, "{} is not what the API's types say: {advice}", path.display());
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document(catalog());
    let (mut places, mut names) = (vec![&document], BTreeSet::new());
    while let Some(place) = places.pop() {
        match place {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
                    assert!(target.is_some(), "{reference} leads nowhere");
                }
                if let Some(Value::String(name)) = fields.get("operationId") {
                    assert!(names.insert(name), "{name} is there twice");
                }
                places.extend(fields.values());
            }
            Value::Array(items) => places.extend(items),
            _ => {}
        }
    }
}

#[test]
fn every_route_is_documented_with_whether_it_needs_a_key() {
    // Pages for people are no interface.
    const OF_PAGES: [&str; 5] = ["/", "/jobs/{job}", "/assets/job.css", "/assets/{script}", "/docs/{file}"];
    let document = document(catalog());
    for route in routes::table(&Readiness::of(&[])) {
        if OF_PAGES.contains(&route.path) {
            continue;
        }
        let operation = &document["paths"][route.path]["get"];
        assert!(operation.is_object(), "{} is not in the document", route.path);
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(open, route.access == Access::Public, "{}", route.path);
    }
}

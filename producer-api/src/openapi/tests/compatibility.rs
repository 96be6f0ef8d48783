//! The last release's OpenAPI document, as kept in `released/`, against the one of now.

use std::fs;
use std::path::Path;

use millrace_protocol::compatibility::{Author, Within, breaks};
use serde_json::{Map, Value, json};

use crate::openapi::document;

/// A release renews what later ones are compared with: the file is written anew with `UPDATE_RELEASED=1`.
#[test]
fn nothing_breaks_who_was_written_for_the_released_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("released/openapi.json");
    let new = document(millrace_contracts::catalog());
    if std::env::var_os("UPDATE_RELEASED").is_some() {
        fs::create_dir_all(path.with_file_name("")).expect("a folder of the project");
        let text = serde_json::to_string_pretty(&new).expect("plain data");
        fs::write(&path, format!("{text}\n")).expect("a file of the project");
    }
    let old = serde_json::from_slice(&fs::read(&path).expect("the released document")).expect("JSON");
    assert_eq!(broken(&old, &new), [""; 0], "what was released may only gain");
}

/// Every change that a client written for `old` would trip over.
fn broken(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in fields(&old["paths"]) {
        for (method, operation) in fields(item) {
            let place = format!("{method} {path}");
            match &new["paths"][path][method] {
                Value::Null => found.push(format!("{place}: is gone")),
                now => found.extend(
                    Operations { old, new }
                        .compare(operation, now)
                        .iter()
                        .map(|told| format!("{place}: {told}")),
                ),
            }
        }
    }
    found
}

struct Operations<'a> {
    old: &'a Value,
    new: &'a Value,
}

impl Operations<'_> {
    fn compare(&self, before: &Value, now: &Value) -> Vec<String> {
        let mut found = self.parameters(before, now);
        found.extend(self.asked(before, now));
        found.extend(self.told(before, now));
        found
    }

    fn parameters(&self, before: &Value, now: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let (before, now) = (listed(self.old, before), listed(self.new, now));
        for (name, parameter) in &now {
            if parameter["required"] == true && before.get(name).is_none_or(|old| old["required"] != true) {
                found.push(format!("{name} is required from now on"));
            }
        }
        for (name, old) in &before {
            match now.get(name) {
                Some(new) => found.extend(self.schemas(Author::Others, name, old, new)),
                None => found.push(format!("{name} is gone")),
            }
        }
        found
    }

    fn asked(&self, before: &Value, now: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (kind, old) in fields(&before["requestBody"]["content"]) {
            match &now["requestBody"]["content"][kind] {
                Value::Null => found.push(format!("{kind} is no longer taken")),
                new => found.extend(self.schemas(Author::Others, "the body", old, new)),
            }
        }
        found
    }

    /// Good answers stay. Of the others, a client must expect any.
    fn told(&self, before: &Value, now: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (status, old) in fields(&before["responses"]) {
            let new = resolved(self.new, &now["responses"][status]);
            if new.is_null() {
                found.extend(status.starts_with('2').then(|| format!("{status} is no longer answered")));
                continue;
            }
            for (kind, old) in fields(&resolved(self.old, old)["content"]) {
                match &new["content"][kind] {
                    Value::Null => found.push(format!("{status} is no longer {kind}")),
                    new => found.extend(self.schemas(Author::Us, status, old, new)),
                }
            }
        }
        found
    }

    fn schemas(&self, author: Author, what: &str, old: &Value, new: &Value) -> Vec<String> {
        let old = Within { root: self.old, schema: &old["schema"] };
        let new = Within { root: self.new, schema: &new["schema"] };
        let told = |found: millrace_protocol::Violation| format!("{what}{} {}", found.pointer, found.message);
        breaks(author, old, new).into_iter().map(told).collect()
    }
}

fn fields(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

fn resolved<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(value)
}

fn listed<'a>(root: &'a Value, operation: &'a Value) -> Map<String, Value> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let named = |parameter: &'a Value| {
        let parameter = resolved(root, parameter);
        let text = |field: &str| parameter[field].as_str().unwrap_or_default();
        (format!("{} {}", text("in"), text("name")), parameter.clone())
    };
    parameters.map(named).collect()
}

/// A document with one operation of each kind, to be changed.
fn small() -> Value {
    let text = |content: Value| json!({"content": {"application/json": {"schema": content}}});
    json!({
        "paths": {
            "/jobs": {
                "post": {
                    "parameters": [{"name": "wait", "in": "query", "schema": {"type": "integer", "maximum": 60}}],
                    "requestBody": text(json!({"$ref": "#/components/schemas/Asked"})),
                    "responses": {"202": {"$ref": "#/components/responses/202"}, "404": text(json!({}))},
                },
            },
        },
        "components": {
            "schemas": {"Asked": {"type": "object", "properties": {"id": {"type": "string"}}}},
            "responses": {
                "202": text(json!({"type": "object", "properties": {"id": {}}, "required": ["id"]})),
            },
        },
    })
}

#[test]
fn each_kind_of_break_is_found_and_each_allowed_change_passes() {
    let post = |rest: &str| format!("/paths/~1jobs/post{rest}");
    let answered = "/components/responses/202/content/application~1json/schema";
    let parameter =
        |required: bool| json!([{"name": "wait", "in": "query", "required": required, "schema": {}}]);
    let table = [
        ("/paths/~1jobs".to_owned(), json!({}), "post /jobs: is gone"),
        (post("/parameters"), json!([]), "post /jobs: query wait is gone"),
        (post("/parameters"), parameter(true), "post /jobs: query wait is required from now on"),
        (post("/parameters"), parameter(false), ""),
        (post("/parameters/0/schema/maximum"), json!(9), "post /jobs: query wait maximum is narrower: 9"),
        (
            post("/requestBody/content"),
            json!({"text/plain": {}}),
            "post /jobs: application/json is no longer taken",
        ),
        (post("/responses"), json!({}), "post /jobs: 202 is no longer answered"),
        (post("/responses/404"), json!({"content": {}}), "post /jobs: 404 is no longer application/json"),
        (
            "/components/schemas/Asked/required".to_owned(),
            json!(["id"]),
            "post /jobs: the body/id is required from now on",
        ),
        (
            format!("{answered}/required"),
            json!([]),
            "post /jobs: 202/id was always there, and may be missing from now on",
        ),
        (format!("{answered}/properties/name"), json!({"type": "string"}), ""),
        ("/components/schemas/Asked/properties/name".to_owned(), json!({"type": "string"}), ""),
    ];
    for (pointer, value, expected) in table {
        let (old, mut new) = (small(), small());
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let place = new.pointer_mut(parent).expect("a place");
        match place {
            Value::Array(items) => items[key.parse::<usize>().expect("a position")] = value.clone(),
            place => place[key.replace("~1", "/")] = value.clone(),
        }
        let found = broken(&old, &new);
        assert_eq!(found.first().map_or("", String::as_str), expected, "{pointer} = {value}: {found:?}");
    }
}

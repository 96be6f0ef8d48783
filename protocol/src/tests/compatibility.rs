//! The comparison of two schemas finds each break, and lets each allowed change pass.

use serde_json::{Value, json};

use crate::compatibility::{Author, Within, breaks};

/// A schema with one of everything, to be changed.
fn message() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"description": "Which.", "$ref": "#/$defs/Id"},
            "count": {"type": "integer", "minimum": 1, "maximum": 10},
            "name": {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^a"},
            "lines": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"$ref": "#/$defs/Line"}},
            "note": {"anyOf": [{"$ref": "#/$defs/Id"}, {"type": "null"}]},
            "state": {"oneOf": [{"type": "string", "const": "open"}, {"type": "string", "const": "shut"}]},
        },
        "required": ["id", "count"],
        "$defs": {
            "Id": {"type": "string", "format": "uuid"},
            "Line": {"type": "object", "properties": {"again": {"$ref": "#/$defs/Line"}, "sku": {"type": "string"}}},
        },
    })
}

/// The places where that message breaks when the value at this pointer into its schema becomes another.
fn broken(author: Author, pointer: &str, value: Value) -> Vec<String> {
    let (old, mut new) = (message(), message());
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    // Null stands for taking it away.
    if value.is_null() {
        parent.remove(key)
    } else {
        parent.insert(key.to_owned(), value)
    };
    let found = breaks(author, Within::whole(&old), Within::whole(&new));
    found.into_iter().map(|found| format!("{} {}", found.pointer, found.message)).collect()
}

#[test]
fn each_kind_of_break_is_found() {
    let table = [
        ("/properties/count", json!(null), "/count is gone"),
        ("/required", json!(["id", "count", "name"]), "/name is required from now on"),
        ("/properties/count/type", json!("string"), "/count the type changed"),
        ("/properties/count/type", json!("number"), ""),
        ("/properties/count/enum", json!([1, 2]), "/count only certain values"),
        ("/properties/count/minimum", json!(2), "/count minimum is narrower: 2"),
        ("/properties/count/maximum", json!(9), "/count maximum is narrower: 9"),
        ("/properties/count/multipleOf", json!(2), "/count multipleOf is another"),
        ("/properties/name/minLength", json!(2), "/name minLength is narrower: 2"),
        ("/properties/name/maxLength", json!(19), "/name maxLength is narrower: 19"),
        ("/properties/name/pattern", json!("^b"), "/name pattern is another"),
        ("/properties/name/format", json!("email"), "/name format is another"),
        ("/properties/lines/minItems", json!(2), "/lines minItems is narrower: 2"),
        ("/properties/lines/maxItems", json!(2), "/lines maxItems is narrower: 2"),
        ("/properties/lines/items", json!({"type": "string"}), "/lines/* the type changed"),
        ("/properties/note", json!({"$ref": "#/$defs/Id"}), "/note the type changed"),
        ("/properties/state/oneOf", json!([{"const": "open"}]), r#"/state the value "shut" is gone"#),
        ("/properties/state", json!({"type": "integer"}), "/state the type changed"),
        ("/additionalProperties", json!(false), " fields that are not listed"),
        ("/$defs/Id/format", json!("date"), "/id format is another"),
        ("/$defs/Line/properties/sku", json!(null), "/lines/*/sku is gone"),
        ("/$defs/Line/required", json!(["sku"]), "/lines/*/sku is required"),
    ];
    for (pointer, value, expected) in table {
        for author in [Author::Others, Author::Us] {
            let found = broken(author, pointer, value.clone());
            let told = format!("{pointer} = {value}, written by {author:?}: {found:?}");
            let expected_here = !expected.is_empty() || author == Author::Us;
            assert_eq!(!found.is_empty(), expected_here, "{told}");
            assert!(found.first().is_none_or(|first| first.starts_with(expected)), "{told}");
        }
    }
}

#[test]
fn what_was_always_there_is_there_still() {
    let table = [
        ("/required", json!(["id"]), "/count was always there"),
        ("/properties/count/type", json!(["integer", "null"]), "/count may be of other types"),
        ("/properties/name", json!({}), "/name may be of other types"),
    ];
    for (pointer, value, expected) in table {
        assert_eq!(broken(Author::Others, pointer, value.clone()), [""; 0], "{pointer} = {value}");
        let found = broken(Author::Us, pointer, value.clone());
        assert!(
            found.first().is_some_and(|first| first.starts_with(expected)),
            "{pointer} = {value}: {found:?}"
        );
    }
}

#[test]
fn each_allowed_change_passes() {
    let table = [
        ("/properties/gift", json!({"type": "boolean"})),
        ("/description", json!("Another sentence.")),
        ("/properties/count/examples", json!([3])),
        ("/properties/id/description", json!(null)),
        ("/properties/count/minimum", json!(0)),
        ("/properties/count/maximum", json!(null)),
        ("/properties/name/maxLength", json!(21)),
        ("/properties/name/pattern", json!(null)),
        ("/properties/lines/minItems", json!(0)),
        ("/properties/lines/maxItems", json!(4)),
        ("/additionalProperties", json!(true)),
        // The same in other words.
        ("/properties/note", json!({"type": ["string", "null"], "format": "uuid"})),
        ("/properties/state", json!({"type": "string", "enum": ["shut", "open", "ajar"]})),
        ("/properties/id", json!({"allOf": [{"$ref": "#/$defs/Id"}]})),
    ];
    for (pointer, value) in table {
        for author in [Author::Others, Author::Us] {
            assert_eq!(broken(author, pointer, value.clone()), [""; 0], "{pointer} = {value}, by {author:?}");
        }
    }
}

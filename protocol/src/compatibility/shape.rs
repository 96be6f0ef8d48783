//! One way of writing for schemas that can be written in several: references, alternatives, listed values, types.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The schema with its reference followed. What stands beside a reference holds as well (JSON Schema 2020-12 §8.2.3).
pub(super) fn resolved(root: &Value, schema: &Value) -> Map<String, Value> {
    let mut whole = match schema {
        Value::Object(fields) => fields.clone(),
        Value::Bool(false) => Map::from_iter([("enum".to_owned(), json!([]))]),
        _ => Map::new(),
    };
    while let Some(Value::String(reference)) = whole.remove("$ref") {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        for (keyword, value) in target.and_then(Value::as_object).into_iter().flatten() {
            whole.entry(keyword.clone()).or_insert_with(|| value.clone());
        }
    }
    // One part of a conjunction is as good as none at all.
    if let Some([only]) = whole.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        let part = resolved(root, &only.clone());
        whole.remove("allOf");
        for (keyword, value) in part {
            whole.entry(keyword).or_insert(value);
        }
    }
    whole
}

/// The ways in which a body can be valid, each with one type at most.
pub(super) fn alternatives(root: &Value, schema: &Map<String, Value>) -> Vec<Map<String, Value>> {
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(members)) = schema.get(keyword) {
            let mut rest = schema.clone();
            rest.remove(keyword);
            let whole = |member: &Value| {
                let mut whole = rest.clone();
                whole.extend(resolved(root, member));
                whole
            };
            return members.iter().flat_map(|member| alternatives(root, &whole(member))).collect();
        }
    }
    let Some(Value::Array(types)) = schema.get("type") else { return vec![schema.clone()] };
    let of_type = |name: &Value| {
        let mut one = if name == "null" { Map::new() } else { schema.clone() };
        one.insert("type".to_owned(), name.clone());
        one
    };
    types.iter().map(of_type).collect()
}

/// The values that a schema lists, if it is nothing but a list, in whatever form.
pub(super) fn values(root: &Value, schema: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        return Some(values.clone());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![value.clone()]);
    }
    let Some(Value::Array(members)) = schema.get("oneOf").or_else(|| schema.get("anyOf")) else {
        return None;
    };
    let listed: Option<Vec<_>> = members.iter().map(|member| values(root, &resolved(root, member))).collect();
    listed.map(|lists| lists.concat())
}

/// The types that a body can have; none for a schema that does not say. A whole number is a number, too.
pub(super) fn types(root: &Value, schema: &Map<String, Value>) -> BTreeSet<String> {
    if let Some(values) = values(root, schema) {
        return values.iter().map(type_of).map(str::to_owned).collect();
    }
    let mut types = BTreeSet::new();
    for alternative in alternatives(root, schema) {
        match alternative.get("type") {
            Some(Value::String(name)) => types.insert(name.clone()),
            _ => return BTreeSet::new(),
        };
    }
    if types.contains("number") {
        types.insert("integer".to_owned());
    }
    types
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

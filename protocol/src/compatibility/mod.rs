//! What may change in a schema from one release to the next: nothing that a program written for the last one trips over.

mod shape;

use serde_json::{Map, Value};

use crate::invalid::Violation;
use shape::{alternatives, resolved, types, values};

/// Who writes the bodies that a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// Others, such as commands: what was accepted must be accepted still.
    Others,
    /// This system, such as events: besides, what was always there must be there still, and be of the same type.
    Us,
}

/// A schema within the document that its references are about.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// The document.
    pub root: &'a Value,
    /// The schema.
    pub schema: &'a Value,
}

impl<'a> Within<'a> {
    /// A schema that is a document of its own.
    #[must_use]
    pub fn whole(schema: &'a Value) -> Self {
        Self { root: schema, schema }
    }
}

/// Every change from `old` to `new` that breaks a program which was written for `old`, with a pointer into the body.
#[must_use]
pub fn breaks(author: Author, old: Within<'_>, new: Within<'_>) -> Vec<Violation> {
    let mut walk = Walk { author, old_root: old.root, new_root: new.root, open: Vec::new() };
    walk.compare(old.schema, new.schema, "")
}

/// Say nothing about which bodies are valid.
const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$id",
    "$defs",
    "$comment",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];
/// The least, and what is meant where it is left out.
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Compared on their own.
const KNOWN: [&str; 12] = [
    "$ref",
    "type",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "pattern",
    "format",
];

struct Walk<'a> {
    author: Author,
    old_root: &'a Value,
    new_root: &'a Value,
    /// What is being compared right now: a schema that contains itself is compared once.
    open: Vec<(Value, Value)>,
}

impl Walk<'_> {
    fn compare(&mut self, old: &Value, new: &Value, place: &str) -> Vec<Violation> {
        let pair = (old.clone(), new.clone());
        if self.open.contains(&pair) {
            return Vec::new();
        }
        self.open.push(pair);
        let found = self.alternatives(old, new, place);
        self.open.pop();
        found
    }

    /// Each way in which a body could be valid must be one still.
    fn alternatives(&mut self, old: &Value, new: &Value, place: &str) -> Vec<Violation> {
        let (old, new) = (resolved(self.old_root, old), resolved(self.new_root, new));
        if let Some(old_values) = values(self.old_root, &old) {
            return self.values(&old_values, &new, place);
        }
        let now = alternatives(self.new_root, &new);
        let mut found = Vec::new();
        for before in alternatives(self.old_root, &old) {
            let tried = now.iter().map(|now| self.keywords(&before, now, place));
            // The nearest one is what the author had in mind.
            found.extend(tried.min_by_key(Vec::len).unwrap_or_default());
        }
        if self.author == Author::Us && found.is_empty() {
            let (before, now) = (types(self.old_root, &old), types(self.new_root, &new));
            if before != now {
                found.push(Violation::at(place, format!("may be of other types: {before:?} became {now:?}")));
            }
        }
        found
    }

    /// The values that were listed must be accepted still: listed again, or by a schema that lists none.
    fn values(&self, old: &[Value], new: &Map<String, Value>, place: &str) -> Vec<Violation> {
        if let Some(now) = values(self.new_root, new) {
            let gone = old.iter().filter(|value| !now.contains(value));
            return gone.map(|value| Violation::at(place, format!("the value {value} is gone"))).collect();
        }
        let mut listed = Map::new();
        listed.insert("enum".to_owned(), Value::Array(old.to_vec()));
        let (before, now) = (types(self.old_root, &listed), types(self.new_root, new));
        if now.is_empty() || before.is_subset(&now) {
            return Vec::new();
        }
        vec![Violation::at(place, format!("the type changed: {before:?} became {now:?}"))]
    }

    fn keywords(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &str,
    ) -> Vec<Violation> {
        let mut found = self.type_and_values(old, new, place);
        if !found.is_empty() {
            return found;
        }
        found.extend(bounds(old, new, place));
        found.extend(self.properties(old, new, place));
        if let Some(items) = new.get("items") {
            let before = old.get("items").unwrap_or(&Value::Bool(true)).clone();
            found.extend(self.compare(&before, items, &format!("{place}/*")));
        }
        let unknown = new
            .iter()
            .filter(|(keyword, value)| !is_compared(keyword) && old.get(keyword.as_str()) != Some(*value));
        found.extend(unknown.map(|(keyword, _)| {
            Violation::at(
                place,
                format!("{keyword} is another, and whether that is compatible is not known here"),
            )
        }));
        found
    }

    fn type_and_values(
        &self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &str,
    ) -> Vec<Violation> {
        let (before, now) = (types(self.old_root, old), types(self.new_root, new));
        if !now.is_empty() && (before.is_empty() || !before.is_subset(&now)) {
            return vec![Violation::at(place, format!("the type changed: {before:?} became {now:?}"))];
        }
        if values(self.new_root, new).is_some() {
            return vec![Violation::at(place, "only certain values are allowed from now on")];
        }
        Vec::new()
    }

    fn properties(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &str,
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        let (before, now) = (required(old), required(new));
        for name in now.iter().filter(|name| !before.contains(name)) {
            found.push(Violation::at(format!("{place}/{name}"), "is required from now on"));
        }
        if self.author == Author::Us {
            for name in before.iter().filter(|name| !now.contains(name)) {
                found.push(Violation::at(
                    format!("{place}/{name}"),
                    "was always there, and may be missing from now on",
                ));
            }
        }
        let none = Map::new();
        let fields = |schema: &Map<String, Value>| {
            schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone()
        };
        let now = fields(new);
        for (name, before) in fields(old) {
            let place = format!("{place}/{name}");
            match now.get(&name) {
                Some(now) => found.extend(self.compare(&before, now, &place)),
                None => found.push(Violation::at(place, "is gone")),
            }
        }
        if let Some(additional) = new.get("additionalProperties") {
            let before = old.get("additionalProperties").unwrap_or(&Value::Bool(true)).clone();
            let narrower = self.compare(&before, additional, &format!("{place}/*"));
            let closed = "fields that are not listed are no longer allowed as they were";
            found.extend((!narrower.is_empty()).then(|| Violation::at(place, closed)));
        }
        found
    }
}

fn is_compared(keyword: &str) -> bool {
    keyword.starts_with("x-") || [&ANNOTATIONS[..], &LOWER, &UPPER, &KNOWN].concat().contains(&keyword)
}

fn bounds(old: &Map<String, Value>, new: &Map<String, Value>, place: &str) -> Vec<Violation> {
    let number = |schema: &Map<String, Value>, keyword| schema.get(keyword).and_then(Value::as_f64);
    let mut found = Vec::new();
    for keyword in LOWER {
        let nothing = if keyword.contains("inimum") { f64::NEG_INFINITY } else { 0.0 };
        let before = number(old, keyword).unwrap_or(nothing);
        found.extend(number(new, keyword).filter(|now| *now > before).map(|now| (keyword, now)));
    }
    for keyword in UPPER {
        let before = number(old, keyword).unwrap_or(f64::INFINITY);
        found.extend(number(new, keyword).filter(|now| *now < before).map(|now| (keyword, now)));
    }
    let narrowed = |(keyword, now)| Violation::at(place, format!("{keyword} is narrower: {now}"));
    let mut found: Vec<_> = found.into_iter().map(narrowed).collect();
    for keyword in ["pattern", "format"] {
        if new.get(keyword).is_some_and(|now| old.get(keyword) != Some(now)) {
            found.push(Violation::at(place, format!("{keyword} is another")));
        }
    }
    found
}

fn required(schema: &Map<String, Value>) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

//! Says in words for its author what is wrong with a body, and where: JSON pointers (RFC 6901) from a reader's errors.

use serde_path_to_error::{Path, Segment};

use crate::invalid::{Invalid, Violation};

/// Why reading stopped, at the place that the reader had come to.
pub(crate) fn explain(body: &[u8], error: &serde_json::Error, path: &Path) -> Invalid {
    let text = error.to_string();
    if !error.is_data() {
        // A value that is broken inside (a lone surrogate, say) has a place; anything else is about the whole body.
        return Invalid::NotJson(Violation::at(pointer(path), not_json(body, &text)));
    }
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let field = |prefix| message.strip_prefix(prefix)?.strip_suffix('`').map(escape);
    Invalid::Violations(vec![if let Some(field) = field("missing field `") {
        Violation::at(format!("{}/{field}", pointer(path)), "this field is required")
    } else if let Some(field) = field("duplicate field `") {
        Violation::at(format!("{}/{field}", pointer(path)), "this field is there more than once")
    } else {
        Violation::at(pointer(path), plain(message))
    }])
}

fn not_json(body: &[u8], text: &str) -> String {
    if body.trim_ascii().is_empty() {
        return "the body is empty: expected a JSON object".to_owned();
    }
    let place = text.rsplit_once(" at line ").map_or("", |(_, place)| place);
    let broken_escape =
        ["hex escape", "surrogate", "unicode code point"].iter().any(|words| text.contains(words));
    if broken_escape {
        return format!(
            "not JSON: a text that is not Unicode, such as one with half of a surrogate pair, at line {place}"
        );
    }
    format!("not JSON: {}", text.replace("EOF while parsing", "the body ends within"))
}

/// What the reader expected and found, in the words of JSON rather than Rust. A text that was found is never repeated:
/// this sentence is stored and shown, and the text may be a secret in the wrong place.
fn plain(message: &str) -> String {
    if message.starts_with("UUID parsing failed") {
        return "expected a UUID such as 01980000-0000-7000-8000-000000000001".to_owned();
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "a string" => "a text",
        "a formatted UUID string" => "a UUID",
        "a sequence" => "a list",
        "i64" => "a whole number",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    };
    match found.split_once(": ") {
        Some(("invalid type", found)) => format!("expected {expected}, found {}", kind(found)),
        Some(("invalid value", _)) => format!("expected {expected}, found one that is out of range"),
        _ if found.starts_with("unknown variant") => format!("expected {}", expected.replace('`', "")),
        _ => message.to_owned(),
    }
}

fn kind(found: &str) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        ("null", "null"),
        ("boolean", "true or false"),
        ("string", "a text"),
        ("sequence", "a list"),
        ("map", "an object"),
        ("integer", "a whole number"),
        // A whole number too large for any integer type is read as one of these too.
        ("floating point", "a number that has a fraction or an exponent, or is too large"),
    ];
    KINDS.iter().find(|(start, _)| found.starts_with(start)).map_or("something else", |(_, words)| words)
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The pointer to a field that the reader passed over.
pub(crate) fn pointer_of_ignored(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", pointer_of_ignored(parent)),
        Path::Map { parent, key } => format!("{}/{}", pointer_of_ignored(parent), escape(key)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            pointer_of_ignored(parent)
        }
    }
}

/// RFC 6901 §3: `~` and `/` are written as `~0` and `~1`.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

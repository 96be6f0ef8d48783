//! The messages that there are, read from the sources of `contracts`.
//!
//! This program does not depend on that crate: it must start also while the domain that it has just written doesn't compile.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// One message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name on the wire, such as `orders.confirmed`.
    pub wire: String,
    pub is_event: bool,
    /// The module that it is in, which has its domain's name.
    pub module: String,
    /// The name of its type.
    pub name: String,
    /// Its fields: name and type.
    pub fields: Vec<(String, String)>,
}

/// Every message of every domain, in the order of the files' names.
pub fn all(root: &Path) -> Result<Vec<Message>, Error> {
    let folder = root.join("contracts/src");
    let mut files: Vec<_> =
        fs::read_dir(&folder).map_err(Error::file(&folder))?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut messages = Vec::new();
    for file in files {
        let module =
            file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".rs"));
        if let Some(module) = module {
            messages.extend(of(module, &fs::read_to_string(&file).map_err(Error::file(&file))?));
        }
    }
    Ok(messages)
}

/// The messages of one file, which is formatted as rustfmt does it.
pub fn of(module: &str, source: &str) -> Vec<Message> {
    let implementations = source.split("\nimpl Contract for ").skip(1);
    let message = |text: &str| {
        let text = text.split("\n}").next().unwrap_or_default();
        let name = text.split(' ').next()?;
        let wire = after(text, "const TYPE: &'static str = \"")?.split('"').next()?;
        let kind = after(text, "const KIND: Kind = Kind::")?.split(';').next()?;
        let (wire, name, module) = (wire.to_owned(), name.to_owned(), module.to_owned());
        Some(Message { wire, is_event: kind == "Event", module, fields: fields(source, &name), name })
    };
    implementations.filter_map(message).collect()
}

fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let body = after(source, &format!("pub struct {name} {{\n")).and_then(|rest| rest.split("\n}").next());
    let field = |line: &str| {
        let (name, kind) = line.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")?;
        Some((name.to_owned(), kind.to_owned()))
    };
    body.unwrap_or_default().lines().filter_map(field).collect()
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

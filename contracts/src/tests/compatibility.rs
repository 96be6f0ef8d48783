//! The last release's schemas, as kept under `released/`, against those of now.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_protocol::Kind;
use millrace_protocol::compatibility::{Author, Within, breaks};
use serde_json::Value;

use super::schemas::{file_name, text};
use crate::catalog;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("released")
}

/// A release renews what later ones are compared with: the files are written anew with `UPDATE_RELEASED=1`.
fn released() -> Vec<(String, Value)> {
    if std::env::var_os("UPDATE_RELEASED").is_some() {
        let _none_yet = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for entry in catalog().entries() {
            fs::write(folder().join(file_name(entry)), text(entry)).unwrap();
        }
    }
    let read = |file: fs::DirEntry| {
        let schema = serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        (file.file_name().into_string().unwrap(), schema)
    };
    fs::read_dir(folder()).unwrap().map(|file| read(file.unwrap())).collect()
}

#[test]
fn nothing_breaks_who_was_written_for_the_released_schemas() {
    let mut broken = Vec::new();
    let released = released();
    assert!(!released.is_empty(), "released/ is kept");
    for (file, old) in released {
        let Some(entry) = catalog().entries().iter().find(|entry| file_name(entry) == file) else {
            broken.push(format!("{file}: there is no such message any more"));
            continue;
        };
        let author = if entry.kind == Kind::Event { Author::Us } else { Author::Others };
        let found = breaks(author, Within::whole(&old), Within::whole(entry.schema().as_value()));
        broken.extend(found.into_iter().map(|found| format!("{file}: {} {}", found.pointer, found.message)));
    }
    assert_eq!(broken, [""; 0], "a released message may only gain; give the new one another type or version");
}

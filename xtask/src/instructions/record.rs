//! The committed record: what a message cost in each case when the record was last renewed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::cargo::root;
use crate::error::Error;

/// Below the repository's root.
pub const PLACE: &str = "tests/instructions/recorded.json";

/// Instructions for each message, by case.
pub type Counts = BTreeMap<String, u64>;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The compiler and the libraries that all counts depend on.
    pub counted_with: String,
    pub per_message: Counts,
}

impl Record {
    /// Without a file, no case is recorded yet.
    pub fn read() -> Result<Self, Error> {
        let path = root().join(PLACE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Error::File { path, source: std::io::Error::other(error) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::file(path)(error)),
        }
    }

    pub fn write(&self) -> Result<(), Error> {
        let path = root().join(PLACE);
        let text = serde_json::to_string_pretty(self).expect("a record is plain data") + "\n";
        fs::write(&path, text).map_err(Error::file(path))
    }
}

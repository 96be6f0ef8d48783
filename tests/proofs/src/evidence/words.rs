//! The few words of which millions of rows are made, kept once each.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

static WORDS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The word itself, for as long as the process lives. For names of types, states and the like only.
pub fn word(text: &str) -> &'static str {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    match words.get(text) {
        Some(word) => word,
        None => {
            let word: &'static str = Box::leak(text.to_owned().into_boxed_str());
            words.insert(word);
            word
        }
    }
}

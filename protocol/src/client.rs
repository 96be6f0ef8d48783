//! The name of an upstream system.

use crate::text::{InvalidText, made_of};

crate::text!(
    /// The upstream system that posts jobs, as its API key names it.
    ClientId, 64, r"^[a-z0-9._-]+$",
    |text| made_of(&text, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        .then_some(text)
        .ok_or(InvalidText("expected 1 to 64 lower case letters, digits, dots, dashes or underscores"))
);

crate::shown!(ClientId);

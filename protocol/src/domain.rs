//! The name of a business domain, from which its queues, its database schema and its handler's name follow.

use std::fmt;

/// A domain's name: 1 to 32 lower case letters, such as `orders`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(&'static str);

impl DomainName {
    /// A domain of this name.
    ///
    /// # Panics
    ///
    /// If the name has other characters than lower case letters, or none, or more than 32: it stands in queue names,
    /// patterns of policies and SQL.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 32, "a domain's name has 1 to 32 letters");
        let mut position = 0;
        while position < bytes.len() {
            assert!(bytes[position].is_ascii_lowercase(), "a domain's name has lower case letters only");
            position += 1;
        }
        Self(name)
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

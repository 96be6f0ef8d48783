//! API keys: 256 bits that an upstream system proves itself with. Only their hashes travel and are kept.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{KeyHash, KeyPrefix};

/// What every key begins with, so that one that leaked is recognised for what it is.
const BRAND: &str = "mr_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 digits to the base of 62 hold 256 bits.
const DIGITS: usize = 43;
/// How much of a key people see later: enough to tell keys apart, far too little to guess the rest.
const PREFIX_CHARS: usize = 11;

/// A new API key. Its text is for the one answer that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key made of these 256 bits, which must be unpredictable.
    #[must_use]
    pub fn of(bits: [u8; 32]) -> Self {
        let (mut number, mut digits) = (bits, [0; DIGITS]);
        for digit in digits.iter_mut().rev() {
            // Long division by 62: what remains is the lowest digit that is still missing.
            let mut remainder: usize = 0;
            for byte in &mut number {
                let dividend = (remainder << 8) | usize::from(*byte);
                *byte =
                    u8::try_from(dividend / 62).expect("a remainder below 62 keeps the quotient below 256");
                remainder = dividend % 62;
            }
            *digit = ALPHABET[remainder];
        }
        Self(BRAND.chars().chain(digits.into_iter().map(char::from)).collect())
    }

    /// The key itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// By what people recognise it.
    #[must_use]
    pub fn prefix(&self) -> KeyPrefix {
        KeyPrefix::parse(&self.0[..PREFIX_CHARS]).expect("letters, digits and an underscore")
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        Self::hash_of(&self.0)
    }

    /// What would be kept of a key with this text.
    #[must_use]
    pub fn hash_of(text: &str) -> KeyHash {
        let digest = Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        KeyHash::parse(hex).expect("64 hexadecimal digits")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// For the one answer that shows it.
impl Serialize for ApiKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

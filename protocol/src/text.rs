//! Text that is parsed once, where it enters: a value of one of these types is known to be well formed.

/// Why a text was refused; the sentence is meant for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub &'static str);

/// Whether the text has 1 to `max` bytes, all of which are allowed.
#[must_use]
pub fn made_of(text: &str, max: usize, allowed: fn(u8) -> bool) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(allowed)
}

/// Declares a type of text that can only be parsed: its documentation, its name, the most characters it has, the regular
/// expression that its JSON Schema shows, and the function that parses it.
///
/// The crate that uses it depends on `serde` and `schemars`.
///
/// ```
/// use millrace_protocol::text::{InvalidText, made_of};
///
/// millrace_protocol::text!(
///     /// A carrier's number for a parcel.
///     TrackingNumber, 20, "^[0-9]+$",
///     |text| made_of(&text, 20, |byte| byte.is_ascii_digit())
///         .then_some(text)
///         .ok_or(InvalidText("expected 1 to 20 digits"))
/// );
/// millrace_protocol::shown!(TrackingNumber);
/// assert!(TrackingNumber::parse("12 34").is_err());
/// ```
#[macro_export]
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:expr, $pattern:expr, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text; the error says what is allowed.
            pub fn parse(text: impl Into<String>) -> Result<Self, $crate::text::InvalidText> {
                let parse: fn(String) -> Result<String, $crate::text::InvalidText> = $parse;
                parse(text.into()).map(Self)
            }

            /// The text as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::convert::TryFrom<String> for $name {
            type Error = $crate::text::InvalidText;
            fn try_from(text: String) -> Result<Self, $crate::text::InvalidText> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": $max, "pattern": $pattern})
            }
        }
    };
}

/// Gives types of text that are no secrets `Debug` and `Display`.
#[macro_export]
macro_rules! shown {
    ($($name:ident),*) => {$(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

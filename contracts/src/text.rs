//! Text that is parsed once, at the edge: a value of one of these types is known to be well formed.

use std::fmt;

use millrace_protocol::text::{InvalidText, made_of};
use millrace_protocol::{shown, text};

/// Characters are counted as Unicode scalar values; control characters (NUL among them) are refused in every type,
/// since Postgres can't store NUL and a log line or a console must not be steered by data.
fn plain(text: &str, max_chars: usize, refusal: &'static str) -> Result<(), InvalidText> {
    let fits = (1..=max_chars).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) { Ok(()) } else { Err(InvalidText(refusal)) }
}

/// Hashes are no secrets in the strict sense, but nothing is gained by printing them either.
macro_rules! masked {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

text!(
    /// An e-mail address: one `@`, something on both sides, at most 254 bytes (RFC 5321 §4.5.3.1.3 less the brackets),
    /// no spaces or control characters. Whether it receives mail can only be found out by sending some.
    Email, 254, r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$",
    |text| {
        let well_formed = text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        });
        let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if well_formed && clean && text.len() <= 254 {
            Ok(text)
        } else {
            Err(InvalidText("not an e-mail address: expected name@host, at most 254 bytes, without spaces"))
        }
    }
);

impl Email {
    /// The form under which addresses are compared: two that differ only in case are the same address.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

text!(
    /// A person's name as they write it.
    PersonName, 200, r"^[^\x00-\x1f\x7f-\x9f]+$",
    |text| plain(&text, 200, "expected 1 to 200 characters without control characters").map(|()| text)
);

text!(
    /// A stock keeping unit.
    Sku, 64, r"^[A-Za-z0-9._-]+$",
    |text| made_of(&text, 64, |b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        .then_some(text)
        .ok_or(InvalidText("expected 1 to 64 letters, digits, dots, dashes or underscores"))
);

text!(
    /// The gateway's name for a way to pay, such as `pm_ok` in the sandbox. Never a card number.
    PaymentMethod, 64, r"^pm_[A-Za-z0-9_]+$",
    |text| (text.len() > 3 && text.starts_with("pm_") && made_of(&text, 64, |b| b.is_ascii_alphanumeric() || b == b'_'))
        .then_some(text)
        .ok_or(InvalidText("expected a payment method such as pm_ok: pm_ and 1 to 61 letters, digits or underscores"))
);

text!(
    /// Why a gateway refused a payment, in its own code.
    DeclineReason, 64, r"^[a-z0-9_]+$",
    |text| made_of(&text, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        .then_some(text)
        .ok_or(InvalidText("expected 1 to 64 lower case letters, digits or underscores"))
);

text!(
    /// What an API key may do: post one command (`jobs:orders.place`), all of a domain (`jobs:orders.*`) or all there
    /// are (`jobs:*`).
    Scope, 64, r"^jobs:(\*|[a-z][a-z-]*\.(\*|[a-z][a-z-]*))$",
    |text| (text.len() <= 64 && text.strip_prefix("jobs:").is_some_and(is_pattern))
        .then_some(text)
        .ok_or(InvalidText("expected a scope such as jobs:orders.place, jobs:orders.* or jobs:*"))
);

/// Everything, or a domain and either one of its commands or all of them.
fn is_pattern(pattern: &str) -> bool {
    let label =
        |text: &str| made_of(text, 64, |b| b.is_ascii_lowercase() || b == b'-') && !text.starts_with('-');
    let of_domain = |(domain, command): (&str, &str)| label(domain) && (command == "*" || label(command));
    pattern == "*" || pattern.split_once('.').is_some_and(of_domain)
}

impl Scope {
    /// Whether a key with this scope may post this command.
    #[must_use]
    pub fn allows(&self, command: &str) -> bool {
        match self.pattern().strip_suffix('*') {
            Some(beginning) => command.starts_with(beginning),
            None => command == self.pattern(),
        }
    }

    /// The commands, such as `orders.*`. A scope that allows another one's pattern allows all that the other one does.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.0.strip_prefix("jobs:").unwrap_or_default()
    }
}

text!(
    /// An argon2id hash in PHC string format. The password itself never enters a queue.
    PasswordHash, 256, r"^\$argon2id\$[\x21-\x7e]+$",
    |text| (text.starts_with("$argon2id$") && made_of(&text, 256, |b| b.is_ascii_graphic()))
        .then_some(text)
        .ok_or(InvalidText("expected an argon2id hash in PHC string format"))
);

text!(
    /// SHA-256 of an API key, in lower case hexadecimal.
    KeyHash, 64, r"^[0-9a-f]{64}$",
    |text| (text.len() == 64 && made_of(&text, 64, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
        .then_some(text)
        .ok_or(InvalidText("expected SHA-256 as 64 lower case hexadecimal digits"))
);

text!(
    /// The first characters of an API key, by which people recognise it.
    KeyPrefix, 16, r"^[A-Za-z0-9_]+$",
    |text| made_of(&text, 16, |b| b.is_ascii_alphanumeric() || b == b'_')
        .then_some(text)
        .ok_or(InvalidText("expected 1 to 16 letters, digits or underscores"))
);

shown!(Email, PersonName, Sku, PaymentMethod, DeclineReason, Scope, KeyPrefix);
masked!(PasswordHash, KeyHash);

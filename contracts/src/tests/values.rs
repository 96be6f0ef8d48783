//! Values that are parsed once: the edges of what each accepts, and sums that are checked.

use millrace_protocol::ClientId;

use crate::{
    Currency, DeclineReason, Email, KeyHash, KeyPrefix, MinorUnits, PasswordHash, PaymentMethod, PersonName,
    Quantity, Scope, Sku,
};

const MAX: i64 = 9_007_199_254_740_991;

fn minor(amount: i64) -> MinorUnits {
    MinorUnits::new(amount).unwrap()
}

#[test]
fn money_stays_where_every_json_reader_keeps_it_exact() {
    assert!(MinorUnits::new(0).is_ok() && MinorUnits::new(MAX).is_ok());
    for refused in [-1, MAX + 1, i64::MAX, i64::MIN] {
        assert!(MinorUnits::new(refused).is_err(), "{refused}");
    }
    assert_eq!(minor(MAX - 1).plus(minor(1)), Ok(minor(MAX)));
    assert!(minor(MAX).plus(minor(1)).is_err());
    assert_eq!(minor(3).times(Quantity::new(4).unwrap()), Ok(minor(12)));
    assert!(minor(MAX).times(Quantity::new(1_000_000).unwrap()).is_err());
}

#[test]
fn quantities_and_currencies() {
    assert!(Quantity::new(1).is_ok() && Quantity::new(1_000_000).is_ok());
    assert!(Quantity::new(0).is_err() && Quantity::new(1_000_001).is_err());
    for (code, known) in
        [("EUR", true), ("JPY", true), ("eur", false), ("XXX", false), ("EURO", false), ("", false)]
    {
        assert_eq!(Currency::parse(code).is_ok(), known, "{code}");
    }
}

#[test]
fn texts() {
    let long = |text: &str, length: usize| text.repeat(length);
    let cases: &[(&str, bool)] = &[
        ("e-mail", Email::parse("ada@example.com").is_ok()),
        ("e-mail in Unicode", Email::parse("ädä@exämple.com").is_ok()),
        ("e-mail of 254 bytes", Email::parse(format!("{}@b", long("a", 252))).is_ok()),
        ("name in Unicode", PersonName::parse("Łukasz 李").is_ok()),
        ("name of 200 characters", PersonName::parse(long("ä", 200)).is_ok()),
        ("sku", Sku::parse("TEA_1.5-kg").is_ok()),
        ("payment method", PaymentMethod::parse("pm_1Abc").is_ok()),
        ("decline reason", DeclineReason::parse("insufficient_funds").is_ok()),
        ("client", ClientId::parse("shop-1.eu").is_ok()),
        ("scope of everything", Scope::parse("jobs:*").is_ok()),
        ("scope of a domain", Scope::parse("jobs:orders.*").is_ok()),
        ("scope of a command", Scope::parse("jobs:users.change-email").is_ok()),
        ("scope of 64", Scope::parse(format!("jobs:a.{}", long("b", 57))).is_ok()),
        ("hash of a password", PasswordHash::parse("$argon2id$v=19$m=19456,t=2,p=1$c2Fs$aGFz").is_ok()),
        ("hash of a key", KeyHash::parse(long("0a", 32)).is_ok()),
        ("prefix of a key", KeyPrefix::parse("mr_5e8848").is_ok()),
    ];
    for (name, accepted) in cases {
        assert!(accepted, "{name} is refused");
    }
    let cases: &[(&str, bool)] = &[
        ("two @", Email::parse("a@b@c").is_err()),
        ("nothing before @", Email::parse("@b").is_err()),
        ("nothing after @", Email::parse("a@").is_err()),
        ("space", Email::parse("a b@c").is_err()),
        ("no-break space", Email::parse("a\u{a0}b@c").is_err()),
        ("line feed", Email::parse("a@b\n").is_err()),
        ("e-mail of 255 bytes", Email::parse(format!("{}@b", long("a", 253))).is_err()),
        ("name of 201 characters", PersonName::parse(long("ä", 201)).is_err()),
        ("name with a C1 control", PersonName::parse("a\u{85}b").is_err()),
        ("sku with a space", Sku::parse("A B").is_err()),
        ("sku in Unicode", Sku::parse("TÉ").is_err()),
        ("payment method without a name", PaymentMethod::parse("pm_").is_err()),
        ("payment method of 65", PaymentMethod::parse(format!("pm_{}", long("a", 62))).is_err()),
        ("card number", PaymentMethod::parse("4242424242424242").is_err()),
        ("decline reason in capitals", DeclineReason::parse("Declined").is_err()),
        ("client with a space", ClientId::parse("my shop").is_err()),
        ("scope of nothing", Scope::parse("jobs:").is_err()),
        ("scope with a leading dot", Scope::parse("jobs:.place").is_err()),
        ("scope of a domain without its commands", Scope::parse("jobs:orders").is_err()),
        ("scope with an empty command", Scope::parse("jobs:orders.").is_err()),
        ("scope of part of a name", Scope::parse("jobs:orders.pl*").is_err()),
        ("scope of all domains' commands of a name", Scope::parse("jobs:*.place").is_err()),
        ("scope with two stars", Scope::parse("jobs:*.*").is_err()),
        ("scope with a star in a domain's name", Scope::parse("jobs:o*.place").is_err()),
        ("scope of three labels", Scope::parse("jobs:orders.place.now").is_err()),
        ("scope with a leading dash", Scope::parse("jobs:orders.-place").is_err()),
        ("scope of something else", Scope::parse("keys:*").is_err()),
        ("scope of 65", Scope::parse(format!("jobs:a.{}", long("b", 58))).is_err()),
        ("another hash", PasswordHash::parse("$2b$12$abc").is_err()),
        ("hash with a space", PasswordHash::parse("$argon2id$ $").is_err()),
        ("key hash in capitals", KeyHash::parse(long("0A", 32)).is_err()),
        ("key hash cut off", KeyHash::parse(long("0", 63)).is_err()),
    ];
    for (name, refused) in cases {
        assert!(refused, "{name} is accepted");
    }
}

#[test]
fn a_scope_allows_one_command_those_of_a_domain_or_all() {
    let allows = |scope: &str, command: &str| Scope::parse(scope).unwrap().allows(command);
    for command in ["orders.place", "auth.issue-api-key", ""] {
        assert!(allows("jobs:*", command), "{command}");
    }
    for (command, allowed) in [
        ("orders.place", true),
        ("orders.cancel", true),
        ("payments.refund", false),
        ("orders", false),
        ("ordersx.place", false),
        ("", false),
    ] {
        assert_eq!(allows("jobs:orders.*", command), allowed, "{command}");
    }
    for (command, allowed) in [
        ("orders.place", true),
        ("orders.placed", false),
        ("orders.plac", false),
        ("orders.*", false),
        ("", false),
    ] {
        assert_eq!(allows("jobs:orders.place", command), allowed, "{command}");
    }
}

#[test]
fn addresses_are_compared_without_regard_to_case() {
    let folded = |text| Email::parse(text).unwrap().folded();
    assert_eq!(folded("Ada@Example.COM"), folded("ada@example.com"));
    assert_eq!(folded("ÄDA@example.com"), folded("äda@example.com"));
    assert_ne!(folded("ada@example.com"), folded("ada@example.org"));
}

#[test]
fn hashes_are_not_printed() {
    let hash = PasswordHash::parse("$argon2id$v=19$secret").unwrap();
    assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    assert_eq!(format!("{:?}", KeyHash::parse("0a".repeat(32)).unwrap()), "KeyHash(…)");
}

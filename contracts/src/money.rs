//! Money in integer minor units of an ISO 4217 currency, and quantities; every sum is checked.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// 2^53 − 1: the largest integer that every JSON reader keeps exactly (RFC 8259 §6).
const MAX_MINOR_UNITS: i64 = 9_007_199_254_740_991;

/// An amount in the smallest unit of its currency (cents, pence), from 0 to 2^53 − 1. Never negative, never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct MinorUnits(i64);

impl MinorUnits {
    /// Parses an amount; refuses negative ones and those above 2^53 − 1.
    pub fn new(amount: i64) -> Result<Self, MoneyOverflow> {
        if (0..=MAX_MINOR_UNITS).contains(&amount) { Ok(Self(amount)) } else { Err(MoneyOverflow) }
    }

    /// The amount as a number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The sum, or an error where it would pass the limit.
    pub(crate) fn plus(self, other: Self) -> Result<Self, MoneyOverflow> {
        self.0.checked_add(other.0).ok_or(MoneyOverflow).and_then(Self::new)
    }

    /// The amount taken `quantity` times, or an error where it would pass the limit.
    pub(crate) fn times(self, quantity: Quantity) -> Result<Self, MoneyOverflow> {
        self.0.checked_mul(i64::from(quantity.get())).ok_or(MoneyOverflow).and_then(Self::new)
    }
}

impl TryFrom<i64> for MinorUnits {
    type Error = MoneyOverflow;
    fn try_from(amount: i64) -> Result<Self, MoneyOverflow> {
        Self::new(amount)
    }
}

impl From<MinorUnits> for i64 {
    fn from(amount: MinorUnits) -> i64 {
        amount.0
    }
}

impl JsonSchema for MinorUnits {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MinorUnits".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0, "maximum": MAX_MINOR_UNITS})
    }
}

/// An amount left the range that can be represented exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount in minor units, a whole number from 0 to 9007199254740991")]
pub struct MoneyOverflow;

/// An amount with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// In the currency's smallest unit.
    pub amount_minor: MinorUnits,
    /// ISO 4217.
    pub currency: Currency,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (minor units)", self.amount_minor.0, self.currency)
    }
}

/// How many of something: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    const MAX: u32 = 1_000_000;

    /// Parses a quantity; zero and more than 1,000,000 are refused.
    pub fn new(quantity: u32) -> Result<Self, InvalidQuantity> {
        if (1..=Self::MAX).contains(&quantity) { Ok(Self(quantity)) } else { Err(InvalidQuantity) }
    }

    /// The quantity as a number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// From a wide integer, so that whoever sends a negative or huge one is told the range.
impl TryFrom<i64> for Quantity {
    type Error = InvalidQuantity;
    fn try_from(quantity: i64) -> Result<Self, InvalidQuantity> {
        u32::try_from(quantity).map_err(|_| InvalidQuantity).and_then(Self::new)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> u32 {
        quantity.0
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": Self::MAX})
    }
}

/// A quantity of zero, or one above 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number from 1 to 1000000")]
pub struct InvalidQuantity;

/// An ISO 4217 currency code that is in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Active national currencies of ISO 4217 list one (without funds, metals and test codes).
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG \
HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT \
MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG \
SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF \
XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Currency {
    /// Parses a code such as `EUR`; lower case and unknown codes are refused.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        // Each code and the space after it are four bytes: splitting the list took a fifth of decoding an order.
        let mut known = CODES.as_bytes().chunks(4).map(|code| &code[..3]);
        if known.any(|known| known == bytes) { Ok(Self(bytes)) } else { Err(UnknownCurrency) }
    }

    /// The code, such as `EUR`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;
    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = CODES.split(' ').collect();
        json_schema!({"type": "string", "enum": codes, "description": "ISO 4217 code, such as EUR"})
    }
}

/// Not a currency code of ISO 4217 that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 4217 currency code in capitals, such as EUR")]
pub struct UnknownCurrency;

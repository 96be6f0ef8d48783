//! What is said about parcels.

use millrace_protocol::{Contract, DomainName, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("parcels");

millrace_protocol::id!(
    /// One parcel.
    ParcelId
);

const EXAMPLE: ParcelId = ParcelId(uuid!("01980000-0000-7000-8000-0000000000f1"));

/// Send a parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Send {
    /// The parcel.
    pub parcel_id: ParcelId,
    /// Its weight in grams.
    pub grams: u32,
}

impl Contract for Send {
    const TYPE: &'static str = "parcels.send";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { parcel_id: EXAMPLE, grams: 1200 }
    }
}

/// A parcel was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The parcel.
    pub parcel_id: ParcelId,
}

impl Contract for Sent {
    const TYPE: &'static str = "parcels.sent";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { parcel_id: EXAMPLE }
    }
}

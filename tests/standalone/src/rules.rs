//! The rules of parcels: one is sent once, and none of more than 30 kilograms.

use millrace_protocol::{Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{Context, Decision, Domain, NoEffects, Refusal, Rejection, Rows};
use serde_json::json;

use crate::messages::{self, ParcelId, Send, Sent};

const GRAMS_MAX: u32 = 30_000;

/// The parcels domain.
#[derive(Debug)]
pub struct Parcels;

/// A parcel that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    pub grams: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub parcels: Rows<ParcelId, Parcel>,
}

/// A parcel is written.
#[derive(Debug)]
pub struct Change(ParcelId, Parcel);

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, Change(id, parcel): Change) {
        self.parcels.put(&id, parcel);
    }
}

impl Domain for Parcels {
    const NAME: DomainName = messages::DOMAIN;
    type Message = Send;
    type Facts = Facts;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Send, Unreadable> {
        match envelope.message_type.as_str() {
            Send::TYPE => read(envelope.version, body),
            other => Err(Unreadable::UnknownType(other.to_owned())),
        }
    }

    fn declare(send: &Send, facts: &mut Facts) {
        facts.parcels.declare(send.parcel_id);
    }

    fn decide(facts: &Facts, send: &Send, _: &Context<'_>) -> Result<Decision<Change>, Rejection> {
        let Send { parcel_id, grams } = *send;
        if grams > GRAMS_MAX {
            let sentence = format!("A parcel has at most {GRAMS_MAX} grams.");
            return Err(Refusal::new("parcel-too-heavy", sentence).into());
        }
        if facts.parcels.get(&parcel_id).is_some() {
            return Err(Refusal::new("parcel-already-sent", format!("Parcel {parcel_id} was sent.")).into());
        }
        Ok(Decision::new(json!({"parcel_id": parcel_id}))
            .change(Change(parcel_id, Parcel { grams }))
            .publish(&Sent { parcel_id }))
    }
}

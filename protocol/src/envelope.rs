//! What travels beside a message's body: who it is, what caused it, for whom, and which attempt this is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ClientId, Contract, JobId, MessageId};

/// The metadata of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The message's own id; a copy of the message keeps it.
    pub message_id: MessageId,
    /// The job that this message belongs to.
    pub job_id: JobId,
    /// The message that caused this one; a job's first message is its own cause.
    pub causation_id: MessageId,
    /// The upstream system that posted the job.
    pub client_id: ClientId,
    /// Type of the body, such as `orders.place`.
    pub message_type: String,
    /// Version of the body's type.
    pub version: u16,
    /// Which attempt this delivery is, counted from 1.
    pub attempt: u32,
    /// Hash of the job's first body, by which a reused idempotency key is found out.
    pub fingerprint: Fingerprint,
    /// W3C trace context, carried on unchanged.
    pub trace: Trace,
}

impl Envelope {
    /// The envelope of a job's own command, as it is first sent, in no trace yet.
    #[must_use]
    pub fn first<T: Contract>(job_id: JobId, client_id: ClientId, fingerprint: Fingerprint) -> Self {
        Self::of_job(job_id, client_id, T::TYPE, T::VERSION, fingerprint)
    }

    /// The same for a command that is known by its name and version only.
    #[must_use]
    pub fn of_job(
        job_id: JobId,
        client_id: ClientId,
        message_type: &str,
        version: u16,
        fingerprint: Fingerprint,
    ) -> Self {
        Self {
            message_id: job_id.first_message(),
            job_id,
            causation_id: job_id.first_message(),
            client_id,
            message_type: message_type.to_owned(),
            version,
            attempt: 1,
            fingerprint,
            trace: Trace::default(),
        }
    }
}

/// The first 128 bits of BLAKE3 over a body, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(blake3::hash(body).to_hex()[..32].to_owned())
    }

    /// The fingerprint of a body that must not be found by trying, such as one with a password: only who has the key can
    /// tell whether it fits.
    #[must_use]
    pub fn keyed(key: &[u8; 32], body: &[u8]) -> Self {
        Self(blake3::keyed_hash(key, body).to_hex()[..32].to_owned())
    }

    /// Takes over a fingerprint that came with a message; `None` where it can't be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Self(text.to_owned()))
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// W3C Trace Context (<https://www.w3.org/TR/trace-context/>): carried from the API to the last follow-up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// `00-<trace id>-<span id>-<flags>`.
    pub traceparent: Option<String>,
    /// Vendor data that belongs to `traceparent`.
    pub tracestate: Option<String>,
}

impl Trace {
    /// Takes over what the caller sent, dropping what is malformed: a broken trace must not refuse a job.
    #[must_use]
    pub fn accept(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let Some(parent) = traceparent.filter(|text| is_traceparent(text)) else {
            return Self::default();
        };
        let state =
            tracestate.filter(|text| text.len() <= 512 && text.bytes().all(|b| (0x20..0x7f).contains(&b)));
        Self { traceparent: Some(parent.to_owned()), tracestate: state.map(str::to_owned) }
    }
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    matches!(parts[..], [version, trace, span, flags]
        if version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2)
            && trace.contains(|c| c != '0') && span.contains(|c| c != '0'))
}

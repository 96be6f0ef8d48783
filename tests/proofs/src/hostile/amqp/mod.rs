//! AMQP 0-9-1 by hand: what no client library would send, because it is not allowed or makes no sense.

mod client;
mod table;

pub use client::{Client, Refusal};
pub use table::{Field, SIZES, Table, find, nested};

/// A message in which every property may hold any bytes.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub content_type: Option<Vec<u8>>,
    pub content_encoding: Option<Vec<u8>>,
    pub headers: Option<Table>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<Vec<u8>>,
    pub reply_to: Option<Vec<u8>>,
    pub expiration: Option<Vec<u8>>,
    pub message_id: Option<Vec<u8>>,
    pub timestamp: Option<u64>,
    pub kind: Option<Vec<u8>>,
    pub user_id: Option<Vec<u8>>,
    pub app_id: Option<Vec<u8>>,
    pub cluster_id: Option<Vec<u8>>,
    pub body: Vec<u8>,
}

impl Message {
    /// The content of a header frame (AMQP 0-9-1 §4.2.6.1).
    fn header(&self) -> Vec<u8> {
        let mut properties = Properties { flags: 0, bytes: Vec::new() };
        properties.short(15, self.content_type.as_deref());
        properties.short(14, self.content_encoding.as_deref());
        properties.put(13, self.headers.as_ref().map(table::encode));
        properties.put(12, self.delivery_mode.map(|mode| vec![mode]));
        properties.put(11, self.priority.map(|priority| vec![priority]));
        properties.short(10, self.correlation_id.as_deref());
        properties.short(9, self.reply_to.as_deref());
        properties.short(8, self.expiration.as_deref());
        properties.short(7, self.message_id.as_deref());
        properties.put(6, self.timestamp.map(|time| time.to_be_bytes().to_vec()));
        properties.short(5, self.kind.as_deref());
        properties.short(4, self.user_id.as_deref());
        properties.short(3, self.app_id.as_deref());
        properties.short(2, self.cluster_id.as_deref());
        let mut header = [60u16.to_be_bytes(), 0u16.to_be_bytes()].concat();
        header.extend(u64::try_from(self.body.len()).unwrap_or(u64::MAX).to_be_bytes());
        header.extend(properties.flags.to_be_bytes());
        header.extend(properties.bytes);
        header
    }

    /// Reads a header frame as far as it matters here: message id and headers.
    fn from_header(bytes: &[u8]) -> Option<Self> {
        let mut rest = table::Bytes(bytes.get(12..)?);
        let flags = rest.number::<2>().map(u16::from_be_bytes)?;
        let mut message = Self::default();
        for flag in (2..16).rev().filter(|flag| flags & (1 << flag) != 0) {
            match flag {
                13 => message.headers = Some(rest.table()?),
                12 => message.delivery_mode = rest.number::<1>().map(|[mode]| mode),
                11 => message.priority = rest.number::<1>().map(|[priority]| priority),
                7 => message.message_id = Some(rest.short()?.to_vec()),
                6 => message.timestamp = rest.number::<8>().map(u64::from_be_bytes),
                5 => message.kind = Some(rest.short()?.to_vec()),
                _ => drop(rest.short()?),
            }
        }
        Some(message)
    }

    /// A header's value, if it is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        match find(self.headers.as_ref()?, name)? {
            Field::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}

struct Properties {
    flags: u16,
    bytes: Vec<u8>,
}

impl Properties {
    fn put(&mut self, flag: u8, value: Option<Vec<u8>>) {
        if let Some(value) = value {
            self.flags |= 1 << flag;
            self.bytes.extend(value);
        }
    }

    fn short(&mut self, flag: u8, value: Option<&[u8]>) {
        self.put(flag, value.map(table::short));
    }
}

//! A request, valid or not: its parts are sent as they are.

use serde_json::Value;

/// A request. Nothing is checked or escaped.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn get(target: impl Into<String>, key: &str) -> Self {
        let authorization = ("Authorization".to_owned(), format!("Bearer {key}").into_bytes());
        Self {
            method: "GET".to_owned(),
            target: target.into(),
            headers: vec![authorization],
            body: Vec::new(),
        }
    }

    /// A job.
    pub fn job(command: &str, body: &Value, key: &str) -> Self {
        Self::post(format!("/v1/jobs/{command}"), "application/json", body.to_string(), key)
    }

    pub fn post(target: impl Into<String>, kind: &str, body: impl Into<Vec<u8>>, key: &str) -> Self {
        let request = Self { method: "POST".to_owned(), body: body.into(), ..Self::get(target, key) };
        request.with("Content-Type", kind)
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this value alone in a header.
    pub fn instead(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.with(name, value)
    }

    /// The request as bytes, with a host, and with the right Content-Length unless a header says otherwise.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nHost: millrace\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let framed = |name: &&(String, Vec<u8>)| {
            ["content-length", "transfer-encoding"].contains(&name.0.to_ascii_lowercase().as_str())
        };
        if self.headers.iter().find(framed).is_none() && (self.method == "POST" || !self.body.is_empty()) {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

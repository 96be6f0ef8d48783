//! Malformed requests, generated from a seed: the same seed gives the same ones, except for the ids of existing jobs.

mod bodies;
mod headers;
mod targets;

use millrace_testkit::random::Random;
use uuid::Uuid;

use crate::mutation;
use crate::siege::http::Request;

/// What a client does once it has sent its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Waits for an answer to each request and keeps the connection.
    KeepsOpen,
    /// Waits for an answer or the end of the connection, and uses a new one next.
    Waits,
    /// Closes the connection at once.
    Leaves,
}

/// Bytes to send, and what to expect.
#[derive(Debug, Clone)]
pub struct RawRequest {
    pub bytes: Vec<u8>,
    /// For each request in it, whether it is HEAD, whose answer has no body.
    pub to_head: Vec<bool>,
    pub manner: Manner,
}

/// Generates requests.
#[derive(Debug)]
pub struct RequestSource<'a> {
    pub random: Random,
    pub key: &'a str,
    /// Ids of existing jobs.
    pub jobs: Vec<Uuid>,
}

impl RequestSource<'_> {
    /// Generates the next request.
    pub fn next(&mut self) -> RawRequest {
        match self.random.below(1_000) {
            ..60 => self.pipelined(),
            60..100 => self.garbage(),
            100..140 => self.truncated(),
            140..170 => self.lying(),
            170..200 => {
                let bytes = self.request().with("Prefer", "wait=60").to_bytes();
                RawRequest { bytes, to_head: vec![false], manner: Manner::Leaves }
            }
            _ => {
                let request = self.request();
                let to_head = vec![request.method == "HEAD"];
                RawRequest { bytes: request.to_bytes(), to_head, manner: Manner::KeepsOpen }
            }
        }
    }

    /// One complete request.
    fn request(&mut self) -> Request {
        let mut request = match self.random.below(10) {
            0..=4 => self.job(),
            5 => self.batch(),
            6 | 7 => Request::get(targets::read(&mut self.random, &self.jobs), self.key),
            8 => Request::get(targets::any(&mut self.random, &self.jobs), self.key),
            _ => {
                let request = Request::get(targets::any(&mut self.random, &self.jobs), self.key);
                Request { method: headers::method(&mut self.random), ..request }
            }
        };
        if self.random.below(3) == 0 {
            for _ in 0..=self.random.below(3) {
                request = headers::changed(request, &mut self.random);
            }
        }
        request
    }

    fn job(&mut self) -> Request {
        let (command, body) = bodies::any(&mut self.random);
        Request::post(targets::job(&mut self.random, command), "application/json", body, self.key)
    }

    fn batch(&mut self) -> Request {
        Request::post("/v1/jobs", "application/x-ndjson", bodies::batch(&mut self.random), self.key)
    }

    fn pipelined(&mut self) -> RawRequest {
        let requests: Vec<_> = (0..2 + self.random.below(4)).map(|_| self.request()).collect();
        RawRequest {
            bytes: requests.iter().flat_map(Request::to_bytes).collect(),
            to_head: requests.iter().map(|request| request.method == "HEAD").collect(),
            manner: Manner::KeepsOpen,
        }
    }

    /// Bytes that are not HTTP, or hardly.
    fn garbage(&mut self) -> RawRequest {
        let mut bytes = match self.random.below(3) {
            0 => Vec::new(),
            1 => [
                &b"GET / HTTP/9.9\r\n\r\n"[..],
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01",
            ][self.random.below(3)]
            .to_vec(),
            _ => self.request().to_bytes(),
        };
        let at = self.random.below(bytes.len().min(200));
        let length = 1 + self.random.below(600);
        let noise = mutation::bytes(&mut self.random, length);
        bytes.splice(at..at, noise);
        // Without this, the server would wait for the end of the line.
        bytes.extend_from_slice(b"\r\n\r\n");
        self.ending(bytes)
    }

    fn truncated(&mut self) -> RawRequest {
        let mut bytes = self.request().to_bytes();
        bytes.truncate(self.random.below(bytes.len()));
        self.ending(bytes)
    }

    /// A Content-Length that is not the body's.
    fn lying(&mut self) -> RawRequest {
        let request = self.job();
        let length = request.body.len();
        let request = match self.random.below(6) {
            0 => request.with("Content-Length", (length + 1 + self.random.below(100)).to_string()),
            1 => request.with("Content-Length", length.saturating_sub(5).to_string()),
            2 => request.with("Content-Length", "18446744073709551616"),
            3 => request.with("Content-Length", "-1"),
            4 => request.with("Content-Length", length.to_string()).with("Transfer-Encoding", "chunked"),
            _ => request.with("Transfer-Encoding", "chunked"),
        };
        self.ending(request.to_bytes())
    }

    /// Most clients of requests that cannot be answered close the connection: waiting takes seconds.
    fn ending(&mut self, bytes: Vec<u8>) -> RawRequest {
        let manner = if self.random.below(8) == 0 { Manner::Waits } else { Manner::Leaves };
        let to_head = bytes.windows(5).any(|word| word == b"HEAD ");
        RawRequest { bytes, to_head: vec![to_head], manner }
    }
}

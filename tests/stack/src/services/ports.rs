//! Free ports, and passwords, for servers that live as long as a run.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which systems take the ports of outgoing connections, so that no client of another test
/// grabs one between our finding it free and the server's taking it.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Different ports on which nothing listens now. Two runs may still find the same at the same moment: a server that
/// finds its port taken is started again on others.
pub fn free<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut last_error = None;
    for _ in 0..1_000 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, any_in_range())) {
            Ok(listener) => held.push(listener),
            Err(error) => last_error = Some(error),
        }
        if held.len() == N {
            let mut ports = [0; N];
            for (port, listener) in ports.iter_mut().zip(&held) {
                *port = listener.local_addr()?.port();
            }
            return Ok(ports);
        }
    }
    Err(last_error.unwrap_or_else(|| std::io::Error::other("no free port was found")))
}

fn any_in_range() -> u16 {
    RANGE.start + u16::try_from(random() % u64::try_from(RANGE.len()).unwrap_or(1)).unwrap_or_default()
}

/// A password for servers that live for minutes and listen on loopback only.
pub fn password() -> String {
    format!("{:016x}", random())
}

/// The standard library seeds each of its hash maps from the system's random source.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

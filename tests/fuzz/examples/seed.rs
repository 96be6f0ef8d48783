//! Writes the corpora: the example of every message type, and a delivery around it.

use std::fs;
use std::io;
use std::path::Path;

use millrace_contracts::catalog;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["contracts", "domains", "envelope"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    for (position, entry) in (0u8..).zip(catalog().entries()) {
        let body = entry.example().to_string().into_bytes();
        let file = |target: &str| corpus.join(target).join(entry.message_type);
        fs::write(file("contracts"), [&[position][..], &body].concat())?;
        fs::write(file("envelope"), &body)?;
        fs::write(file("domains"), [&[position][..], &body].concat())?;
    }
    Ok(())
}

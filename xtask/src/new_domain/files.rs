//! The files that a new domain consists of, and the places of other files where it is listed.

use std::fs;
use std::path::Path;

use super::names::{Names, Refused};
use super::template::fill;
use crate::error::Error;

/// A file to write.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Below the repository's root.
    pub path: String,
    pub text: String,
}

/// A place where every domain is listed: lines come before the anchor, the first one after a mark.
struct Listing {
    file: &'static str,
    after: &'static str,
    anchor: &'static str,
    lines: &'static str,
}

/// rustfmt sorts modules and imports.
const LISTINGS: [Listing; 6] = [
    Listing { file: "contracts/src/lib.rs", after: "", anchor: "pub mod ", lines: "pub mod {{domain}};\n" },
    Listing { file: "contracts/src/system.rs", after: "use crate::{", anchor: "", lines: "{{domain}}, " },
    Listing {
        file: "contracts/src/system.rs",
        after: "let domains = [",
        anchor: "    ];",
        lines: include_str!("templates/catalog.txt"),
    },
    Listing { file: "workers/src/lib.rs", after: "", anchor: "pub mod ", lines: "pub mod {{domain}};\n" },
    Listing {
        file: "workers/src/lib.rs",
        after: "pub fn visit_domains",
        anchor: "}\n",
        lines: "    visitor.visit::<{{domain}}::{{Domain}}>();\n",
    },
    Listing {
        file: "docker-compose.yml",
        after: "\nservices:\n",
        anchor: "\nvolumes:\n",
        lines: include_str!("templates/service.yml"),
    },
];

/// The files of the domain itself.
pub fn own(root: &Path, names: &Names) -> Result<Vec<File>, Error> {
    let domain = names.domain();
    let number = next_migration(root)?;
    let templates = [
        (format!("contracts/src/{domain}.rs"), include_str!("templates/contracts.rs")),
        (format!("migrations/{number:04}_{domain}.sql"), include_str!("templates/migration.sql")),
        (format!("workers/src/{domain}/mod.rs"), include_str!("templates/mod.rs")),
        (format!("workers/src/{domain}/rules.rs"), include_str!("templates/rules.rs")),
        (format!("workers/src/{domain}/store.rs"), include_str!("templates/store.rs")),
        (format!("workers/src/{domain}/load.sql"), include_str!("templates/load.sql")),
        (format!("workers/src/{domain}/save.sql"), include_str!("templates/save.sql")),
        (format!("workers/src/{domain}/tests.rs"), include_str!("templates/tests.rs")),
        (format!("workers/src/bin/{domain}-worker.rs"), include_str!("templates/worker.rs")),
    ];
    let exists = templates.iter().any(|(path, _)| root.join(path).exists());
    if exists {
        return Err(Refused::Exists(domain.to_owned()).into());
    }
    let file = |(path, template): (String, &str)| File { path, text: fill(template, names) };
    Ok(templates.into_iter().map(file).collect())
}

/// The files that list domains, with the new one in them.
pub fn listing(root: &Path, names: &Names) -> Result<Vec<File>, Error> {
    let mut files: Vec<File> = Vec::new();
    for listing in &LISTINGS {
        if !files.iter().any(|file| file.path == listing.file) {
            let path = root.join(listing.file);
            let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
            files.push(File { path: listing.file.to_owned(), text });
        }
        let file = files.iter_mut().find(|file| file.path == listing.file);
        if let Some(file) = file {
            file.text.insert_str(position(listing, &file.text)?, &fill_inline(listing.lines, names));
        }
    }
    Ok(files)
}

fn position(listing: &Listing, text: &str) -> Result<usize, Refused> {
    let find = |from: usize, mark: &'static str| {
        let found = text[from..].find(mark).map(|at| from + at);
        found.ok_or(Refused::NoAnchor { file: listing.file, anchor: mark })
    };
    let after = find(0, listing.after)? + listing.after.len();
    find(after, listing.anchor)
}

/// Templates are filled line by line; what goes into the middle of a line ends without a line's end.
fn fill_inline(lines: &str, names: &Names) -> String {
    let filled = fill(lines, names);
    if lines.ends_with('\n') { filled } else { filled.trim_end_matches('\n').to_owned() }
}

fn next_migration(root: &Path) -> Result<u32, Error> {
    let folder = root.join("migrations");
    let files = fs::read_dir(&folder).map_err(Error::file(&folder))?.flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.split('_').next()?.parse::<u32>().ok();
    Ok(files.filter_map(number).max().unwrap_or(0) + 1)
}

//! No circle of files: in some crates, a file never uses one that, by whatever way, uses the first one. So they can be read from
//! the bottom up.

use std::collections::{BTreeMap, BTreeSet};

use super::{all_sources, assert_none, code};

/// Crates whose files are in layers.
const LAYERED: [&str; 1] = ["producer-api"];

/// A module's path within its crate, such as `jobs::view`; empty for the crate's root.
type Module = Vec<String>;

#[test]
fn no_circle_of_files() {
    let sources = all_sources();
    let mut circles = Vec::new();
    for name in LAYERED {
        let modules = modules(name, &sources);
        assert!(modules.len() > 3, "the files of {name} are found");
        let uses: BTreeMap<&Module, BTreeSet<&Module>> =
            modules.iter().map(|(module, text)| (module, used(module, text, &modules))).collect();
        let circling = uses.keys().filter(|module| reached(module, &uses).contains(*module));
        circles.extend(circling.map(|module| {
            let back: Vec<_> = uses[module]
                .iter()
                .filter(|used| reached(used, &uses).contains(module))
                .map(|used| used.join("::"))
                .collect();
            format!("{name}: {} uses {}", module.join("::"), back.join(", "))
        }));
    }
    assert_none("Move what both files need into a file that uses neither.", &circles);
}

/// Every module of a crate that has a file, with its text. Tests may use what they like.
fn modules<'a>(name: &str, sources: &'a [(String, String)]) -> BTreeMap<Module, &'a str> {
    let folder = format!("{name}/src/");
    let files = sources.iter().filter_map(|(path, text)| Some((path.strip_prefix(&folder)?, text)));
    files
        .map(|(path, text)| {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module: Module = path.split('/').filter(|part| *part != "lib").map(str::to_owned).collect();
            (module, text.as_str())
        })
        .filter(|(module, _)| !module.iter().any(|part| ["tests", "main", "bin"].contains(&part.as_str())))
        .collect()
}

/// The modules that a module's text names. Names that the crate's root exports again do not count.
fn used<'a>(module: &Module, text: &str, modules: &'a BTreeMap<Module, &str>) -> BTreeSet<&'a Module> {
    let text: String = code(text).map(|line| format!("{line}\n")).collect();
    let mut paths = Vec::new();
    for statement in text.split("use ").skip(1) {
        expand("", statement.split(';').next().unwrap_or_default(), &mut paths);
    }
    for start in ["crate::", "super::"] {
        let begins = |at: usize| !text[..at].ends_with(':');
        let inline = text.match_indices(start).filter(|(at, _)| begins(*at)).map(|(at, _)| &text[at..]);
        let end = |rest: &str| {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len())
        };
        paths.extend(inline.map(|rest| rest[..end(rest)].to_owned()));
    }
    let found = paths.iter().filter_map(|path| resolve(module, path, modules));
    found.filter(|used| *used != module && !used.is_empty()).collect()
}

/// The paths of a `use` tree, such as `a::b` and `a::c` of `a::{b, c}`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((path, rest)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{}", tree.split(" as ").next().unwrap_or_default().trim()));
        return;
    };
    let (inner, mut depth, mut start) = (rest.rsplit_once('}').map_or(rest, |(inner, _)| inner), 0, 0);
    let prefix = format!("{prefix}{}", path.trim());
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The module that a path leads to: the longest part of it that has a file.
fn resolve<'a>(module: &Module, path: &str, modules: &'a BTreeMap<Module, &str>) -> Option<&'a Module> {
    let mut full = module.clone();
    let parts: Vec<&str> = path.split("::").collect();
    match parts.first().copied() {
        Some("crate") => full.clear(),
        Some("self" | "super") => {}
        // A child; any other name is that of another crate.
        Some(first) if modules.contains_key(&[module.clone(), vec![first.to_owned()]].concat()) => {}
        _ => return None,
    }
    for part in parts {
        match part {
            "crate" | "self" => {}
            "super" => drop(full.pop()),
            _ => full.push(part.to_owned()),
        }
    }
    (0..=full.len()).rev().find_map(|length| modules.get_key_value(&full[..length])).map(|(found, _)| found)
}

/// Every module that is used by this one, directly or by way of others.
fn reached<'a>(module: &Module, uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut next: Vec<_> = uses[module].iter().copied().collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(uses[module].iter().copied());
        }
    }
    found
}

#[test]
fn a_circle_is_found() {
    let source = |path: &str, text: &str| (format!("some/src/{path}"), text.to_owned());
    let sources = [
        source("lib.rs", "mod a;\nmod b;\npub use a::A;"),
        source("a.rs", "mod part;\nuse crate::{b::{self, B}, c::C};\nuse part::Part;"),
        source("a/part.rs", "fn f(a: &super::super::c::C) {}\n// use super::A;"),
        source("b/mod.rs", "use std::fmt;\nfn f() -> crate::a::A {}"),
        source("c.rs", "use crate::A;"),
    ];
    let modules = modules("some", &sources);
    let named = |module: &str| -> Vec<String> {
        let module: Module = module.split("::").map(str::to_owned).collect();
        used(&module, modules[&module], &modules).iter().map(|used| used.join("::")).collect()
    };
    assert_eq!(named("a"), ["a::part", "b", "c"]);
    assert_eq!(named("a::part"), ["c"]);
    assert_eq!(named("b"), ["a"]);
    assert_eq!(named("c"), [""; 0]);
}

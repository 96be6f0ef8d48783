//! No circle of files: a file never uses one that, by whatever way, uses the first one. So a crate can be read from the bottom
//! up.

use std::collections::{BTreeMap, BTreeSet};

use super::{all_sources, assert_none, code};

/// Crates whose files are in layers.
const LAYERED: [&str; 9] =
    ["protocol", "contracts", "broker", "service", "runtime", "workers", "producer-api", "ops", "faults"];

/// A module's path within its crate, such as `jobs::view`; empty for the crate's root.
type Module = Vec<String>;

#[test]
fn no_circle_of_files() {
    let sources = all_sources();
    let mut circles = Vec::new();
    for name in LAYERED {
        let modules = modules(name, &sources);
        assert!(modules.len() > 1, "the files of {name} are found");
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

/// The modules that a module's text names.
fn used<'a>(module: &Module, text: &str, modules: &'a BTreeMap<Module, &str>) -> BTreeSet<&'a Module> {
    let mut used = BTreeSet::new();
    for (scope, text) in scopes(module, text) {
        let mut paths: Vec<String> = imports(&text).into_iter().map(|(path, _)| path).collect();
        for start in ["crate::", "super::"] {
            let begins = |at: usize| !text[..at].ends_with(':');
            for (at, _) in text.match_indices(start).filter(|(at, _)| begins(*at)) {
                let path = path_at(&text[at..]);
                if text[at + path.len()..].starts_with('!') {
                    used.extend(file_of_macro(path, modules));
                } else if !path.ends_with("::") {
                    paths.push(path.to_owned());
                }
            }
        }
        used.extend(paths.iter().filter_map(|path| resolve(&scope, path, modules)));
    }
    used.remove(module);
    used
}

/// The path with which a text begins.
fn path_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    &text[..end.unwrap_or(text.len())]
}

/// The file of a macro. Where it is exported, its path is that of the crate's root.
fn file_of_macro<'a>(path: &str, modules: &'a BTreeMap<Module, &str>) -> Option<&'a Module> {
    let defined = format!("macro_rules! {} ", path.rsplit("::").next()?);
    modules.iter().find(|(_, text)| text.contains(&defined)).map(|(module, _)| module)
}

/// A file's text without comments, and apart from it that of each module that stands within the file.
fn scopes(module: &Module, text: &str) -> BTreeMap<Module, String> {
    let mut scopes = BTreeMap::<Module, String>::new();
    let (mut scope, mut indents) = (module.clone(), Vec::new());
    for line in code(text) {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == "}" && indents.last() == Some(&indent) {
            indents.pop();
            scope.pop();
        }
        let text = scopes.entry(scope.clone()).or_default();
        text.push_str(line);
        text.push('\n');
        if let Some((_, name)) = line.strip_suffix(" {").and_then(|line| line.rsplit_once("mod ")) {
            indents.push(indent);
            scope.push(name.to_owned());
        }
    }
    scopes
}

/// What a text imports: each path, and the name that it has here.
fn imports(text: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for statement in text.split("use ").skip(1) {
        expand("", statement.split(';').next().unwrap_or_default(), &mut paths);
    }
    paths
}

/// The paths of a `use` tree, such as `a::b` and `a::c` of `a::{b, c}`, and their names.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<(String, String)>) {
    let Some((path, rest)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path = format!("{prefix}{}", path.trim());
        let path = path.trim_end_matches("::self").to_owned();
        let last = path.rsplit("::").next().unwrap_or_default().to_owned();
        paths.push((path, if name.is_empty() { last } else { name.trim().to_owned() }));
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

/// The module that a path leads to: the longest part of it that has a file. A name that this file only imports, or exports
/// again, is that of the file it comes from.
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
    let (found, text) = file_of(&full, modules)?;
    let name =
        full.get(found.len()).filter(|_| file_of(module, modules).is_some_and(|(own, _)| own != found));
    let Some(name) = name else { return Some(found) };
    let imported = scopes(found, text).get(found).map_or_else(Vec::new, |text| imports(text));
    match imported.into_iter().find(|(_, imported)| imported == name) {
        Some((path, _)) => resolve(found, &path, modules),
        None => Some(found),
    }
}

/// The file of what stands at this path.
fn file_of<'a, 'b>(path: &[String], modules: &'b BTreeMap<Module, &'a str>) -> Option<(&'b Module, &'a str)> {
    let found = (0..=path.len()).rev().find_map(|length| modules.get_key_value(&path[..length]));
    found.map(|(module, text)| (module, *text))
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
        source("a/part.rs", "fn f(a: &super::super::c::C, b: super::B) {}\n// use super::A;"),
        source("b/mod.rs", "use std::fmt;\nfn f() -> crate::a::A {}"),
        source(
            "c.rs",
            "use crate::A;\nmod inner {\n    use super::C;\n    use super::super::d;\n}\nmacro_rules! of_c {}",
        ),
        source("d.rs", "use super::A as B;\ncrate::of_c!(B);"),
    ];
    let modules = modules("some", &sources);
    let named = |module: &str| -> Vec<String> {
        let module: Module = module.split("::").map(str::to_owned).collect();
        used(&module, modules[&module], &modules).iter().map(|used| used.join("::")).collect()
    };
    assert_eq!(named("a"), ["a::part", "b", "c"]);
    assert_eq!(named("a::part"), ["b", "c"]);
    assert_eq!(named("b"), ["a"]);
    assert_eq!(named("c"), ["a", "d"]);
    assert_eq!(named("d"), ["a", "c"]);
}

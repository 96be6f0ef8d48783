//! Tests of the pages: their headers, and that they load nothing that their policy forbids.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};

use super::{HOME, PAGE, SCRIPTS, home, job, script, style};

#[tokio::test]
async fn every_part_says_what_it_is_and_what_it_may() {
    let browser = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"))]);
    let mut parts = vec![(home(browser).await, "html"), (job().await, "html"), (style().await, "css")];
    for (name, _) in SCRIPTS {
        parts.push((script(Ok(Path(name.to_owned()))).await.expect("a script of the page"), "javascript"));
    }
    for (part, kind) in parts {
        let headers = part.headers();
        let text = |name: header::HeaderName| headers[name].to_str().expect("text");
        assert_eq!(text(header::CONTENT_TYPE), format!("text/{kind}; charset=utf-8"));
        assert!(text(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'; script-src 'self';"));
        assert_eq!(text(header::REFERRER_POLICY), "no-referrer");
    }
    assert!(script(Ok(Path("page.rs".to_owned()))).await.is_err(), "nothing else is handed out");
}

/// What stands in double quotes after each of these words.
fn quoted(text: &'static str, before: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn the_pages_load_only_what_their_policy_allows() {
    for (page, links) in [
        (PAGE, &["../assets/job.css", "../assets/job.js"][..]),
        (HOME, &["assets/job.css", "docs", "openapi.json", "readyz", "metrics"]),
    ] {
        let found: Vec<_> = quoted(page, "href=\"")
            .chain(quoted(page, "src=\""))
            .filter(|url| !url.starts_with('#') && !url.starts_with("data:image/svg+xml,"))
            .collect();
        assert_eq!(found, links);
        for inline in [" style=", "<style", " onclick=", "<script>", "javascript:"] {
            assert!(!page.contains(inline), "the policy forbids {inline}");
        }
    }
}

#[test]
fn every_script_is_imported_and_every_import_is_there() {
    let mut imported: Vec<_> =
        SCRIPTS.into_iter().flat_map(|(_, script)| quoted(script, "from \"./")).collect();
    imported.push(SCRIPTS[0].0);
    imported.sort_unstable();
    imported.dedup();
    let mut known = SCRIPTS.map(|(name, _)| name);
    known.sort_unstable();
    assert_eq!(imported, known);
}

#[test]
fn data_of_the_api_becomes_text_only() {
    const WAYS_IN: [&str; 7] =
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "setHTML", "eval(", "Function("];
    for (name, script) in SCRIPTS {
        for way_in in WAYS_IN {
            assert!(
                !script.contains(way_in),
                "{name}: {way_in} makes markup or code of text: use textContent"
            );
        }
    }
}

#[test]
fn the_key_is_kept_for_the_tab_only() {
    for (name, script) in SCRIPTS {
        for longer in ["localStorage", "document.cookie", "indexedDB", "caches."] {
            assert!(!script.contains(longer), "{name}: {longer} outlives the tab");
        }
    }
}

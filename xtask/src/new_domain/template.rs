//! Fills a template in: names for placeholders, lines and blocks that are there for each event, blocks that are there or not.

use super::names::Names;

/// The text of a template for these names.
///
/// `{{noun}}` is replaced by a name. A line with `{{event.…}}` is written for each event, one with `{{closing.…}}` for each
/// event but the first, and the lines from `{{each event}}` to `{{end}}` for each event. The lines from `{{if closing}}` to
/// `{{else}}` are there if there are several events, those from there to `{{end}}` if there is one.
///
/// # Panics
///
/// If the template has a placeholder that has no name: templates are part of this program and tried by its tests.
pub fn fill(template: &str, names: &Names) -> String {
    let (mut written, mut each) = (String::new(), None);
    let mut shown = true;
    for line in template.lines() {
        match line.trim() {
            "{{if closing}}" => shown = !names.closing().is_empty(),
            "{{else}}" => shown = !shown,
            "{{each event}}" => each = Some(String::new()),
            "{{end}}" => {
                shown = true;
                if let Some(block) = each.take() {
                    written.push_str(&for_each_event(&block, names));
                }
            }
            _ if !shown => {}
            _ => {
                let line = format!("{line}\n");
                match &mut each {
                    Some(block) => block.push_str(&line),
                    None => written.push_str(&for_each_event(&line, names)),
                }
            }
        }
    }
    let filled = replace(written, names.pairs());
    assert!(!filled.contains("{{"), "a placeholder without a name in:\n{filled}");
    filled
}

fn for_each_event(text: &str, names: &Names) -> String {
    let events = match (text.contains("{{event."), text.contains("{{closing.")) {
        (true, _) => names.events(),
        (false, true) => names.closing(),
        (false, false) => return text.to_owned(),
    };
    let text = text.replace("{{closing.", "{{event.");
    events.iter().map(|event| replace(text.clone(), event.pairs("event"))).collect()
}

fn replace(text: String, pairs: Vec<(String, String)>) -> String {
    pairs.into_iter().fold(text, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), &value))
}

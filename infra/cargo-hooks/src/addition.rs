//! A new webhook: its entry in the descriptor, its handler, and the body that the handler's test reads.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::{EventName, EventSpec, TABLE};
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::samples::sample;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::scaffold;
use template::check::{self, Severity, closest_event};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The names of the events.
    pub events: &'a [String],
    /// The URL for all of them; one of its own for each, if there is none.
    pub url: Option<&'a str>,
    /// The handler of all of them; the one of the URL, if there is none.
    pub handler: Option<&'a str>,
}

/// What has to be written.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The text of the descriptor, with the new entries.
    pub descriptor: String,
    /// The new entries.
    pub webhooks: Vec<Webhook>,
    /// Files to write where there is none yet, by their paths in the app.
    pub files: Vec<(PathBuf, String)>,
    /// What is there already and stays as it is.
    pub notes: Vec<String>,
}

/// Adds webhooks to the text of a descriptor, and writes their handlers.
///
/// # Errors
///
/// Fails if an event is unknown, or the descriptor would be wrong.
pub fn add(
    text: &str,
    wanted: Wanted<'_>,
    has_handler: impl Fn(&str) -> bool,
) -> anyhow::Result<Addition> {
    let old = Descriptor::parse(text)
        .context("infra/atlassian-connect.json is not a valid descriptor; correct it first")?;
    let events: Vec<EventName> = wanted.events.iter().map(|name| name.as_str().into()).collect();
    let unknown =
        |event: &&EventName| !event.is_known() && Callback::parse(event.as_str()).is_none();
    if let Some(unknown) = events.iter().find(unknown) {
        bail!("{}", advice(unknown.as_str()));
    }
    let mut webhooks: Vec<Webhook> = Vec::new();
    let mut notes = Vec::new();
    for event in events {
        let all = || old.modules.webhooks.iter().chain(&webhooks);
        if let Some(declared) = all().find(|webhook| webhook.event == event) {
            notes.push(format!("{event} is declared already, at {}", declared.url));
            continue;
        }
        let url = wanted.url.map_or_else(|| url_of(&event, all()), str::to_owned);
        let mut webhook =
            Webhook { event, url, params: Default::default(), exclude_body: Default::default() };
        let beside = all().find(|other| other.path() == webhook.path()).map(Webhook::handler);
        let handler = wanted.handler.map(str::to_owned).or(beside);
        if let Some(handler) = handler.filter(|handler| *handler != webhook.slug()) {
            webhook.params.insert(Webhook::HANDLER.to_owned(), handler);
        }
        webhooks.push(webhook);
    }
    let descriptor = insert(text, &webhooks)?;
    let new = Descriptor::parse(&descriptor).context("the new descriptor would not be valid")?;
    let findings = check::check_descriptor(&new);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if !errors.is_empty() {
        bail!(
            "nothing was written, because the new descriptor would not be valid:\n{}",
            errors.join("\n")
        );
    }

    let mut files = Vec::new();
    let names: BTreeSet<String> = webhooks.iter().map(Webhook::handler).collect();
    for name in names {
        let its_own = new.modules.webhooks.iter().filter(|webhook| webhook.handler() == name);
        let lines: Vec<&EventSpec> = its_own.flat_map(|webhook| lines(&webhook.event)).collect();
        let path = Path::new(HANDLERS).join(format!("{name}.rs"));
        if has_handler(&name) {
            notes.push(format!(
                "{} stays as it is; it has to take {}, as `Delivery<{}>` does",
                path.display(),
                listed(&lines),
                payload(&lines),
            ));
        } else {
            files.push((path, handler(&lines)?));
        }
        files.extend(lines.iter().filter_map(|line| {
            Some((body_path(line), sample(line.product, &line.event)?.to_owned()))
        }));
    }
    Ok(Addition { descriptor, webhooks, files, notes })
}

/// The folder of the handlers in an app.
pub(crate) const HANDLERS: &str = "functions/handlers/src/bin";

/// The text as rustfmt writes it in this folder; as it is where there is no rustfmt.
pub fn formatted(text: &str, folder: &Path) -> String {
    let format = || {
        let mut rustfmt = Command::new("rustfmt")
            .args(["--edition", "2024"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        rustfmt.stdin.take()?.write_all(text.as_bytes()).ok()?;
        let output = rustfmt.wait_with_output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    format().unwrap_or_else(|| text.to_owned())
}

/// What is wrong with the name of an event that no product documents.
fn advice(name: &str) -> String {
    let mean = match closest_event(name) {
        Some(close) => format!("did you mean {close}?"),
        None => "`cargo hooks events` lists all that are known.".to_owned(),
    };
    format!(
        "no product documents the event {name}; {mean} One that is newer than this tool can be \
         declared by hand in infra/atlassian-connect.json"
    )
}

/// The URL of an event; with the product in it, if another event has the plain one.
fn url_of<'a>(event: &EventName, mut declared: impl Iterator<Item = &'a Webhook>) -> String {
    let slug = slug(event.as_str());
    let url = format!("/{slug}");
    match event.products().first() {
        Some(product) if declared.any(|webhook| webhook.path() == url) => {
            format!("/{product}-{slug}")
        }
        _ => url,
    }
}

/// The name of an event as a part of a URL.
pub fn slug(event: &str) -> String {
    event.trim_start_matches("jira:").replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Writes entries behind the last one, and leaves the rest of the text as it is.
fn insert(text: &str, webhooks: &[Webhook]) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        modules: Modules<'a>,
    }
    #[derive(Deserialize)]
    struct Modules<'a> {
        #[serde(borrow)]
        webhooks: &'a RawValue,
    }
    if webhooks.is_empty() {
        return Ok(text.to_owned());
    }
    let document: Document<'_> = serde_json::from_str(text).context(
        "infra/atlassian-connect.json has no list of webhooks; add \"modules\": {\"webhooks\": []}",
    )?;
    let list = document.modules.webhooks.get();
    let items: Vec<&RawValue> = serde_json::from_str(list)?;
    let offset = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    let outer = indent(&text[..offset(list)]);
    let first = items.first().map(|item| &text[..offset(item.get())]);
    // An item that does not start its line says nothing of how far items are indented.
    let inner = first.filter(|before| before.ends_with([' ', '\t', '\n'])).map(indent);
    let inner = inner.filter(|inner| inner.len() > outer.len());
    let inner = inner.map_or_else(|| format!("{outer}  "), str::to_owned);
    let entries: Vec<String> =
        webhooks.iter().map(|webhook| entry(webhook, &inner)).collect::<Result<_, _>>()?;
    let entries = entries.join(",\n");
    Ok(match items.last() {
        Some(last) => {
            let (before, after) = text.split_at(offset(last.get()) + last.get().len());
            format!("{before},\n{entries}{after}")
        }
        None => {
            let after = &text[offset(list) + list.len()..];
            format!("{}[\n{entries}\n{outer}]{after}", &text[..offset(list)])
        }
    })
}

/// The white space that the last line starts with.
fn indent(text: &str) -> &str {
    let line = &text[text.rfind('\n').map_or(0, |end| end + 1)..];
    &line[..line.len() - line.trim_start().len()]
}

fn entry(webhook: &Webhook, indent: &str) -> serde_json::Result<String> {
    let (event, url) =
        (serde_json::to_string(&webhook.event)?, serde_json::to_string(&webhook.url)?);
    let mut members = vec![format!("\"event\": {event}"), format!("\"url\": {url}")];
    if let Some(handler) = webhook.params.get(Webhook::HANDLER) {
        let handler = serde_json::to_string(handler)?;
        members.push(format!("\"params\": {{ \"{}\": {handler} }}", Webhook::HANDLER));
    }
    let members = members.join(&format!(",\n{indent}  "));
    Ok(format!("{indent}{{\n{indent}  {members}\n{indent}}}"))
}

/// The lines of the tables with this event: one for each product that sends it.
fn lines(event: &EventName) -> impl Iterator<Item = &'static EventSpec> {
    TABLE.iter().filter(move |line| line.event == *event)
}

/// The type that holds all these events: their payload type, or the enum of one product or of both.
fn payload(lines: &[&EventSpec]) -> String {
    let Some(first) = lines.first() else { return "()".to_owned() };
    if lines.iter().any(|line| line.product != first.product) {
        "Event".to_owned()
    } else if lines.iter().any(|line| line.payload != first.payload) {
        format!("{}::Event", first.product)
    } else {
        format!("{}::{}", first.product, first.payload)
    }
}

fn body_path(line: &EventSpec) -> PathBuf {
    let file = format!("{}.json", line.event.as_str().replace(':', "_"));
    Path::new("tests/events").join(line.product.as_str()).join(file)
}

fn listed(lines: &[&EventSpec]) -> String {
    let mut names: Vec<&str> = lines.iter().map(|line| line.event.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// The text of a handler.
fn handler(lines: &[&EventSpec]) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Test {
        name: String,
        body: String,
        delivery: String,
    }
    let tests: Vec<Test> = lines
        .iter()
        .map(|line| {
            let name = slug(line.event.as_str()).replace('-', "_");
            let of_one = line.event.products() == [line.product];
            let event = line.event.as_str();
            Test {
                name: match of_one {
                    true => format!("handles_{name}"),
                    false => format!("handles_{name}_of_{}", line.product),
                },
                body: body_path(line).display().to_string(),
                delivery: match (of_one, line.product) {
                    (true, _) => format!("delivery({event:?}, body)"),
                    (false, product) => {
                        format!("delivery_from(Product::{product:?}, {event:?}, body)")
                    }
                },
            }
        })
        .collect();
    let payload = payload(lines);
    let module = payload.split("::").next().unwrap_or_default();
    let from_both = tests.iter().any(|test| test.delivery.starts_with("delivery_from"));
    let from_one = tests.iter().any(|test| test.delivery.starts_with("delivery("));
    let mut imports = vec!["Delivery", "Error", module];
    imports.retain(|import| *import != "()");
    let constructors = match (from_one, from_both) {
        (true, true) => "{delivery, delivery_from}",
        (false, true) => "delivery_from",
        _ => "delivery",
    };
    scaffold::handler(context! {
        events => listed(lines),
        imports => imports.join(", "),
        payload => &payload,
        is_enum => matches!(&*payload, "Event" | "jira::Event" | "confluence::Event"),
        from_both,
        constructors,
        tests => Value::from(Serde(&tests)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = r#"{
  "key": "com.example.app",
  "authentication": { "type": "jwt" },
  "apiMigrations": { "gdpr": true, "signed-install": true, "context-qsh": true },
  "scopes": ["READ"],
  "lifecycle": { "installed": "/installed", "uninstalled": "/uninstalled" },
  "modules": {
    "webhooks": []
  }
}
"#;

    fn added(text: &str, events: &[&str], url: Option<&str>, handler: Option<&str>) -> Addition {
        let events: Vec<String> = events.iter().map(|&event| event.to_owned()).collect();
        add(text, Wanted { events: &events, url, handler }, |name| name == "there").unwrap()
    }

    fn refused(events: &[&str], url: Option<&str>) -> String {
        let events: Vec<String> = events.iter().map(|&event| event.to_owned()).collect();
        let wanted = Wanted { events: &events, url, handler: None };
        add(EMPTY, wanted, |_| false).unwrap_err().to_string()
    }

    #[test]
    fn writes_entries_behind_the_others_and_keeps_the_rest() {
        let one = added(EMPTY, &["jira:issue_created"], None, None).descriptor;
        let list = r#"    "webhooks": [
      {
        "event": "jira:issue_created",
        "url": "/issue-created"
      }
    ]
  }
}
"#;
        assert_eq!(one, EMPTY.replace("    \"webhooks\": []\n  }\n}\n", list));

        let two = added(&one, &["page_created"], Some("/page"), Some("there")).descriptor;
        let more = r#"      },
      {
        "event": "page_created",
        "url": "/page",
        "params": { "handler": "there" }
      }
    ]"#;
        assert_eq!(two, one.replace("      }\n    ]", more));
    }

    #[test]
    fn writes_into_a_list_on_one_line() {
        let list = r#"[ { "event": "page_created", "url": "/page" } ]"#;
        let text = EMPTY.replace("[]\n", &format!("{list}\n"));
        let text = added(&text, &["page_removed"], None, None).descriptor;
        assert_eq!(Descriptor::parse(&text).unwrap().modules.webhooks.len(), 2, "{text}");
        assert!(
            text.contains("\"/page\" },\n      {\n        \"event\": \"page_removed\""),
            "{text}"
        );
    }

    #[test]
    fn declares_no_event_twice() {
        let one = added(EMPTY, &["page_created", "page_created"], None, None);
        assert_eq!(one.webhooks.len(), 1);
        let again = added(&one.descriptor, &["page_created"], Some("/other"), None);
        assert_eq!((&again.descriptor, again.webhooks.len()), (&one.descriptor, 0));
        assert_eq!(again.notes, ["page_created is declared already, at /page-created"]);
    }

    #[test]
    fn keeps_a_handler_that_is_there() {
        let addition = added(EMPTY, &["page_created", "page_moved"], None, Some("there"));
        let files: Vec<String> =
            addition.files.iter().map(|(path, _)| path.display().to_string()).collect();
        let bodies = ["page_created", "page_moved"]
            .map(|name| format!("tests/events/confluence/{name}.json"));
        assert_eq!(files, bodies);
        assert!(
            addition.notes[0].contains("takes") || addition.notes[0].contains("confluence::Event")
        );
    }

    #[test]
    fn chooses_a_type_that_holds_every_event_of_a_handler() {
        let rows: [(&[&str], &str); 4] = [
            (&["jira:issue_created", "jira:issue_updated"], "Delivery<jira::IssueEvent>"),
            (&["jira:issue_created", "sprint_started"], "Delivery<jira::Event>"),
            (&["jira:issue_created", "page_created"], "Delivery<Event>"),
            (&["comment_created"], "Delivery<Event>"),
        ];
        for (events, wanted) in rows {
            let addition = added(EMPTY, events, None, Some("all"));
            let (_, text) = &addition.files[0];
            assert!(text.contains(wanted), "{events:?}: {text}");
            let tests = text.matches("#[tokio::test]").count();
            assert_eq!(tests, addition.files.len() - 1, "one for each body: {text}");
        }
    }

    #[test]
    fn finds_a_url_for_events_of_one_slug() {
        let both = added(EMPTY, &["worklog_updated", "jira:worklog_updated"], None, None);
        let urls: Vec<&str> = both.webhooks.iter().map(|webhook| &*webhook.url).collect();
        assert_eq!(urls, ["/worklog-updated", "/jira-worklog-updated"]);
    }

    #[test]
    fn says_what_may_have_been_meant() {
        let rows = [
            ("issue_updated", "did you mean jira:issue_updated?"),
            ("jira:issue_craeted", "did you mean jira:issue_created?"),
            ("jira:page-created", "did you mean page_created?"),
            ("something_else", "cargo hooks events"),
        ];
        for (name, words) in rows {
            let refused = refused(&["page_created", name], None);
            assert!(refused.contains(words), "{name}: {refused}");
        }
    }

    /// A body of Confluence's does not name its event.
    #[test]
    fn follows_the_rules_of_check() {
        let ambiguous = refused(&["page_created", "page_updated"], Some("/page"));
        assert!(ambiguous.contains("could not be distinguished from"), "{ambiguous}");
        let callback = refused(&["disabled"], None);
        assert!(callback.contains("is a lifecycle callback and no webhook"), "{callback}");
    }
}

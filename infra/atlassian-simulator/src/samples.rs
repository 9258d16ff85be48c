//! Sample bodies of events, and new ones made from them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use atlassian_connect::event::{EventName, Product};
use include_dir::{Dir, include_dir};
use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The sample body of an event of a product. `None` if the tables do not list the event for the
/// product.
pub fn sample(product: Product, event: &EventName) -> Option<&'static str> {
    let file = format!("{product}/{}.json", event.as_str().replace(':', "_"));
    SAMPLES.get_file(file)?.contents_utf8()
}

/// The sample body of an event, [renewed](renew). `None` as for [`sample`].
pub fn fresh(product: Product, event: &EventName, now: Timestamp) -> Option<Value> {
    let mut body = serde_json::from_str(sample(product, event)?).ok()?;
    renew(&mut body, now);
    Some(body)
}

/// Makes a body that of a new webhook about new things.
///
/// Its `timestamp` becomes `now`, or the next millisecond that no other body of this process has; for
/// events of Forge the same is done to what they have in its place, in the form that it has.
/// The things that the event is about are the objects at the top of the body. Their ids and issue
/// keys are replaced by random ones of the same type, wherever the body repeats them, also in URLs.
/// Everything else stays: accounts, the project of an issue, the space of a page.
pub fn renew(body: &mut Value, now: Timestamp) {
    let Value::Object(fields) = body else { return };
    for name in TIMES {
        if let Some(time) = fields.get_mut(name) {
            renew_time(time, now);
        }
    }
    let mut renewed = HashMap::new();
    for (name, value) in &*fields {
        match value {
            Value::Object(thing) => name_anew(thing, &mut renewed),
            Value::Array(things) => {
                things.iter().filter_map(Value::as_object).for_each(|thing| {
                    name_anew(thing, &mut renewed);
                });
            }
            // An event about something that is elsewhere, as in `issueId`.
            Value::Number(_) if name.ends_with("Id") => {
                renewed.entry(value.to_string()).or_insert_with(number);
            }
            _ => (),
        }
    }
    // Some bodies are the thing itself.
    name_anew(fields, &mut renewed);
    replace(body, "", &renewed);
}

/// Where bodies say when it happened: the first is Connect's and Jira's, the others are Forge's.
const TIMES: [&str; 4] = ["timestamp", "eventCreatedDate", "time", "entityUpdateTimeStamp"];

fn renew_time(time: &mut Value, now: Timestamp) {
    *time = match time {
        Value::Number(_) => next_millisecond(now).into(),
        Value::String(text) if is_decimal(text) => next_millisecond(now).to_string().into(),
        Value::String(_) => {
            let next = Timestamp::from_millisecond(next_millisecond(now)).unwrap_or(now);
            format!("{next:.3}").into()
        }
        _ => return,
    };
}

/// Adds new names for the id and the issue key of a thing.
fn name_anew(thing: &Map<String, Value>, renewed: &mut HashMap<String, String>) {
    match thing.get("id") {
        Some(Value::Number(id)) => {
            renewed.entry(id.to_string()).or_insert_with(number);
        }
        Some(Value::String(id)) if is_decimal(id) => {
            renewed.entry(id.clone()).or_insert_with(number);
        }
        Some(Value::String(id)) if Uuid::try_parse(id).is_ok() => {
            renewed.entry(id.clone()).or_insert_with(|| Uuid::new_v4().to_string());
        }
        _ => (),
    }
    if let Some(Value::String(key)) = thing.get("key")
        && let Some((project, number_of_issue)) = key.rsplit_once('-')
        && is_decimal(number_of_issue)
    {
        renewed.entry(key.clone()).or_insert_with(|| format!("{project}-{}", number()));
    }
}

/// Replaces the old names in a value, which is that of the field `name`.
fn replace(value: &mut Value, name: &str, renewed: &HashMap<String, String>) {
    let names_a_thing =
        ["id", "Id", "idAsString", "key", "Key"].iter().any(|end| name.ends_with(end));
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| replace(value, name, renewed));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, name, renewed)),
        Value::Number(old) if names_a_thing => {
            if let Some(new) = renewed.get(&old.to_string()) {
                *value = serde_json::from_str(new).expect("a number is replaced by a number");
            }
        }
        Value::String(old) if names_a_thing && renewed.contains_key(old) => {
            old.clone_from(&renewed[old]);
        }
        Value::String(url) if url.starts_with("http") || url.starts_with('/') => {
            *url = url
                .split_inclusive(['/', '?', '&', '='])
                .map(|part| {
                    let old = part.trim_end_matches(['/', '?', '&', '=']);
                    let end = &part[old.len()..];
                    renewed.get(old).map_or_else(|| part.to_owned(), |new| format!("{new}{end}"))
                })
                .collect();
        }
        _ => (),
    }
}

/// A number that no sample has, short enough for 32 bits.
fn number() -> String {
    rand::thread_rng().gen_range(100_000_000..2_000_000_000).to_string()
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Confluence's webhooks have no identifier: two about the same thing differ in their time alone.
fn next_millisecond(now: Timestamp) -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let next = |last| now.as_millisecond().max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_default())
}

/// The bodies of the folder `samples`, by product.
static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use atlassian_connect::delivery::{Delivery, Sender, Webhook};
    use atlassian_connect::event::{Event, Reading, TABLE};
    use atlassian_connect::payload::Payload;
    use atlassian_connect::tenant::ClientKey;
    use serde_json::json;

    use super::*;

    fn delivery(product: Product, event: &EventName, body: &Value, id: &str) -> Delivery {
        Delivery {
            id: id.into(),
            event: event.clone(),
            product,
            sender: Sender::Connect,
            tenant: ClientKey::new("tenant").unwrap(),
            base_url: None,
            received_at: Timestamp::UNIX_EPOCH,
            webhook: Webhook::default(),
            params: [].into(),
            reading: Reading::Read,
            payload: Payload::from_body(body.to_string()).unwrap(),
        }
    }

    /// Whether two values differ in nothing but the text of strings and the value of numbers.
    fn same_shape(one: &Value, two: &Value) -> bool {
        match (one, two) {
            (Value::Object(one), Value::Object(two)) => {
                one.keys().eq(two.keys())
                    && one.values().zip(two.values()).all(|(one, two)| same_shape(one, two))
            }
            (Value::Array(one), Value::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_shape(one, two))
            }
            (one, two) => discriminant(one) == discriminant(two),
        }
    }

    #[test]
    fn has_a_body_for_every_event_of_every_product() {
        for line in TABLE {
            assert!(sample(line.product, &line.event).is_some(), "{} {}", line.product, line.event);
        }
        assert!(sample(Product::Jira, &EventName::PageCreated).is_none());
        assert!(sample(Product::Jira, &"../jira/user_created".into()).is_none());
    }

    #[test]
    fn two_fresh_bodies_of_any_event_are_two_webhooks() {
        let now = Timestamp::UNIX_EPOCH;
        for line in TABLE {
            let (product, event) = (line.product, &line.event);
            let [one, two] = [(), ()].map(|()| fresh(product, event, now).unwrap());
            // A body without a time is known by nothing but its delivery.
            let ids = if one["timestamp"].is_null() { ["1", "2"] } else { ["1", "1"] };
            let [a, b] =
                [delivery(product, event, &one, ids[0]), delivery(product, event, &two, ids[1])];
            assert_ne!(a.identity(), b.identity(), "{product} {event}");
            let read =
                a.read::<Event>().unwrap_or_else(|error| panic!("{product} {event}: {error}"));
            assert_eq!(read.reading, Reading::Read, "{product} {event}");
            let old: Value = serde_json::from_str(sample(product, event).unwrap()).unwrap();
            assert!(same_shape(&old, &one), "{product} {event}: {one}");
        }
    }

    #[test]
    fn new_names_agree_within_a_body() {
        let now: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
        let issue = fresh(Product::Jira, &EventName::IssueCreated, now).unwrap();
        assert!(issue["timestamp"].as_i64().unwrap() >= now.as_millisecond());
        let (id, key) = (issue["issue"]["id"].as_str().unwrap(), issue["issue"]["key"].as_str());
        assert_ne!(id, "10042");
        assert!(issue["issue"]["self"].as_str().unwrap().ends_with(&format!("/{id}")), "{issue}");
        assert!(key.unwrap().starts_with("DEMO-") && key != Some("DEMO-42"), "{issue}");
        assert_eq!(issue["issue"]["fields"]["project"]["id"], "10000");

        let page = fresh(Product::Confluence, &EventName::PageCreated, now).unwrap();
        let (number, text) = (&page["page"]["id"], &page["page"]["idAsString"]);
        assert_ne!(number, 98405);
        assert_eq!(*text, number.to_string());
        assert!(page["page"]["self"].as_str().unwrap().ends_with(&number.to_string()), "{page}");

        // Small ids are numbers of other things as well.
        let mut sprint = json!({
            "sprint": { "id": 7, "self": "https://a/7/x?sprint=7&b=77", "goal": "7 cups", "cups": 7 },
            "oldValue": { "id": 7 },
        });
        renew(&mut sprint, now);
        let id = &sprint["sprint"]["id"];
        assert_eq!(sprint["sprint"]["self"], format!("https://a/{id}/x?sprint={id}&b=77"));
        assert_eq!(
            (&sprint["sprint"]["goal"], &sprint["sprint"]["cups"]),
            (&json!("7 cups"), &json!(7))
        );
        assert_eq!(&sprint["oldValue"]["id"], id);
    }
}

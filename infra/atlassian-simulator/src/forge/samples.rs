//! Sample bodies of events of Forge, and new ones made from them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use atlassian_connect::event::EventName;
use atlassian_forge::event::{Body, EventSpec, PRE_UNINSTALL};
use include_dir::{Dir, include_dir};
use jiff::Timestamp;
use serde_json::Value;

use super::Installation;
use crate::samples::renew;

/// A sample body.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The body.
    pub body: Value,
    /// What its form is known from.
    pub basis: Basis,
}

/// What the form of a body is known from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// Atlassian's documentation.
    Documented,
    /// What others have published of bodies that they received.
    Observed,
    /// The bodies of similar events. It may be wrong.
    Inferred,
}

/// The sample body of an event: its own, or that of another event of its family. `None` if the table
/// does not list the event.
pub fn sample(event: &EventName) -> Option<Sample> {
    if let Some(sample) = SAMPLES.get(event.as_str()) {
        return Some(sample.clone());
    }
    let spec = EventSpec::find(event.as_str())?;
    let is_similar = |name: &&String| {
        EventSpec::find(name)
            .is_some_and(|other| (other.product, other.family) == (spec.product, spec.family))
    };
    // `created`, if there is one: it is what most others are about.
    let similar: Vec<&String> = SAMPLES.keys().filter(is_similar).collect();
    let created = similar.iter().find(|name| name.contains(":created:"));
    let mut body = SAMPLES[*created.or(similar.first())?].body.clone();
    let name = if body.get("eventType").is_some() { "eventType" } else { "type" };
    body[name] = event.as_str().into();
    Some(Sample { body, basis: Basis::Inferred })
}

/// The sample body of an event, [renewed](renew), of this installation. `None` as for [`sample`].
///
/// A lifecycle event happens once to an installation, so its ids stay those of the installation.
pub fn fresh(event: &EventName, installation: &Installation, now: Timestamp) -> Option<Value> {
    let mut body = sample(event)?.body;
    renew(&mut body, now);
    installation.own(&mut body);
    Some(body)
}

/// The bodies of the folder `samples/forge`, by event.
static SAMPLES: LazyLock<BTreeMap<String, Sample>> = LazyLock::new(|| {
    let bases = [
        ("inferred", Basis::Inferred),
        ("observed", Basis::Observed),
        ("documented", Basis::Documented),
    ];
    let mut samples = BTreeMap::new();
    for (folder, basis) in bases {
        for file in FILES.get_dir(folder).into_iter().flat_map(Dir::files) {
            let text = file.contents_utf8().unwrap_or_default();
            let Ok(body) = serde_json::from_str(text) else { continue };
            let name = Body::read(text).name().unwrap_or(PRE_UNINSTALL).to_owned();
            samples.insert(name, Sample { body, basis });
        }
    }
    samples
});

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples/forge");

#[cfg(test)]
mod tests {
    use atlassian_connect::event::Product;
    use atlassian_connect::payload::Payload;
    use atlassian_forge::event::{self, TABLE};

    use super::*;

    fn installation() -> Installation {
        Installation::new(Product::Jira, "ari:cloud:ecosystem::app/2b1c3d4e-0000-4000-8000-0a")
    }

    #[test]
    fn has_a_body_for_every_event_that_its_payload_type_reads() {
        let names = TABLE.iter().map(|spec| spec.name).chain([PRE_UNINSTALL]);
        for name in names {
            let event = EventName::from(name);
            let body = fresh(&event, &installation(), Timestamp::now()).unwrap().to_string();
            assert_eq!(Body::read(&body).name().unwrap_or(PRE_UNINSTALL), name);
            let payload = Payload::from_body(body).unwrap();
            let reading = event::reading(Product::Jira, &event, &payload);
            assert_eq!(reading.as_str(), "read", "{name}: {:?}", reading.detail());
        }
        assert!(sample(&"avi:jira:created:thing".into()).is_none());
        assert!(sample(&"jira:issue_created".into()).is_none());
    }

    #[test]
    fn two_fresh_bodies_are_two_events() {
        for spec in TABLE {
            let [one, two] = [(), ()].map(|()| {
                let now = Timestamp::UNIX_EPOCH;
                fresh(&spec.name.into(), &installation(), now).unwrap()
            });
            // Of an event without a time, the ids are new all the same.
            let dated = ["timestamp", "eventCreatedDate", "time", "entityUpdateTimeStamp"]
                .iter()
                .find_map(|name| one.get(name).map(|time| (time, &two[name])));
            if let Some((one, two)) = dated {
                assert_ne!(one, two, "{}", spec.name);
            } else {
                assert!(one.get("app").is_some() || one != two, "{}: {one}", spec.name);
            }
        }
    }

    #[test]
    fn names_the_installation_that_the_token_names() {
        let installation = installation();
        let body =
            fresh(&"avi:forge:installed:app".into(), &installation, Timestamp::now()).unwrap();
        assert!(installation.id.ends_with(body["id"].as_str().unwrap()), "{body}");
        assert!(body["context"].as_str().unwrap().ends_with(&installation.cloud_id), "{body}");
        let body = fresh(&PRE_UNINSTALL.into(), &installation, Timestamp::now()).unwrap();
        assert_eq!(body["context"]["cloudId"], installation.cloud_id);
    }
}

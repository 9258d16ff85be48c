//! The body of a delivery: which event it is, which attempt, and its identity.

use std::borrow::Cow;
use std::fmt;

use atlassian_connect::event::object::object;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Product;
use crate::token::InstallationId;

/// The body of a delivery.
///
/// It is not signed: what it says is believed because of its token, which is bound to the URL.
///
/// Its name is in `eventType`. A policy event is a CloudEvent, and has it in `type`. The module
/// `preUninstall` and a scheduled trigger have none, and are known by the endpoint.
pub struct Body<'a> {
    name: Option<Cow<'a, str>>,
    form: Form,
    event: &'a str,
    retry: Option<RetryContext>,
    /// The members of the event but for `retryContext`. `None` if it is not an object.
    members: Option<Members<'a>>,
}

/// Prints only the name and the size, because a body contains what users wrote.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({:?}, {} bytes)", self.name, self.event.len())
    }
}

/// Where in the body the event is.
///
/// Atlassian's documentation shows both, and production traffic has been reported with the first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// The body is the event.
    Root,
    /// The member `payload` is the event.
    Wrapped,
}

object! {
    /// What Forge adds to the body of every attempt but the first.
    pub struct RetryContext {
        /// The number of earlier attempts.
        "retryCount" => count: Option<i64>,
        /// Why the last one failed: `INVALID_REMOTE_INVOCATION_ERROR`, `TIMEOUT_ERROR`, or, after a
        /// 401, `INVALID_FORGE_INVOCATION_TOKEN`.
        "retryReason" => reason: Option<String>,
    }
}

impl<'a> Body<'a> {
    /// Reads a body that is known to be JSON. A body without a name is not an error.
    pub fn read(json: &'a str) -> Self {
        let json = json.trim_matches([' ', '\t', '\r', '\n']);
        let root = Members::of(json);
        let name = root.as_ref().and_then(Members::name);
        let wrapped = match (&name, &root) {
            (None, Some(root)) => root.get("payload"),
            _ => None,
        };
        let wrapped = wrapped.and_then(|event| Some((event, Members::of(event)?)));
        let outer = root.as_ref().and_then(Members::retry);
        let (form, event, name, mut members) = match wrapped {
            Some((event, members)) => (Form::Wrapped, event, members.name(), Some(members)),
            None => (Form::Root, json, name, root),
        };
        let retry = members.as_ref().and_then(Members::retry).or(outer);
        if let Some(Members(members)) = &mut members {
            members.retain(|(name, _)| name != RETRY_CONTEXT);
        }
        Self { name, form, event, retry, members }
    }

    /// The name of the event, as the body states it. It can be any text.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where in the body the event is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The text of the event: the body, or its member `payload`, byte for byte.
    pub fn event(&self) -> &'a str {
        self.event
    }

    /// What Forge says of earlier attempts, at the level of the event or around it. `None` at the
    /// first attempt.
    pub fn retry(&self) -> Option<&RetryContext> {
        self.retry.as_ref()
    }

    /// The identity of the event within its installation: the same for every attempt to deliver it,
    /// whatever the form of the body.
    ///
    /// Forge sends no identifier, and each attempt has a token of its own. So it is a hash of the
    /// event without its `retryContext`, in which the order of members and the space between them
    /// do not matter.
    ///
    /// `None` if the event does not say when it happened. Then two events can have the same body,
    /// and an event that is handled twice is better than one that is not handled. Events of Jira,
    /// Confluence and Bitbucket say it, and a lifecycle event happens once to an installation. Those
    /// of Jira Software do not say it in the documentation.
    pub fn identity(&self, installation: &InstallationId) -> Option<String> {
        let members = self.members.as_ref()?;
        let name = self.name()?;
        let is_dated = DATES.iter().any(|date| members.get(date).is_some_and(is_scalar));
        if !is_dated && Product::of(name) != Some(Product::Forge) {
            return None;
        }
        let mut hash = Sha256::new();
        for part in [installation.as_str(), name] {
            piece(&mut hash, b'n', part.as_bytes());
        }
        members.digest(&mut hash, 0);
        Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

const RETRY_CONTEXT: &str = "retryContext";

/// Where events say when they happened: Jira and Bitbucket, Confluence, CloudEvents, and Jira Service
/// Management.
const DATES: [&str; 4] = ["timestamp", "eventCreatedDate", "time", "entityUpdateTimeStamp"];

/// The maximum depth at which the order of members does not matter. Each level is read once more.
const DEEPEST: usize = 32;

/// The members of an object in their order, repeated names included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The last member of a name.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, json)| *json)
    }

    fn name(&self) -> Option<Cow<'a, str>> {
        let text =
            |json: &'a str| serde_json::from_str::<Text<'a>>(json).ok().map(|Text(text)| text);
        let own = self.get("eventType").and_then(text).filter(|name| !name.is_empty());
        // Many objects have a `type`.
        own.or_else(|| self.get("type").and_then(text).filter(|name| name.starts_with("avi:")))
    }

    fn retry(&self) -> Option<RetryContext> {
        self.get(RETRY_CONTEXT).and_then(|json| serde_json::from_str(json).ok())
    }

    fn digest(&self, hash: &mut Sha256, depth: usize) {
        let mut sorted: Vec<_> = self.0.iter().collect();
        // Stable: members of the same name keep their order.
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        piece(hash, b'{', &sorted.len().to_be_bytes());
        for (name, json) in sorted {
            piece(hash, b'k', name.as_bytes());
            digest(json, hash, depth + 1);
        }
    }
}

/// Adds a value to a hash, so that different values add different bytes.
fn digest(json: &str, hash: &mut Sha256, depth: usize) {
    match json.as_bytes().first() {
        Some(b'{') if depth < DEEPEST => {
            if let Some(members) = Members::of(json) {
                return members.digest(hash, depth);
            }
        }
        Some(b'[') if depth < DEEPEST => {
            if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) {
                piece(hash, b'[', &items.len().to_be_bytes());
                return items.iter().for_each(|item| digest(item.get(), hash, depth + 1));
            }
        }
        Some(b'"') => {
            if let Ok(Text(text)) = serde_json::from_str(json) {
                return piece(hash, b'"', text.as_bytes());
            }
        }
        _ => {}
    }
    piece(hash, b'=', json.as_bytes());
}

fn piece(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update(bytes.len().to_be_bytes());
    hash.update(bytes);
}

fn is_scalar(json: &str) -> bool {
    json != "null" && json != r#""""# && !json.starts_with(['{', '['])
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), json)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name, json.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

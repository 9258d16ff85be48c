//! The event with which API Gateway invokes a function, read as it is.
//!
//! Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs", payload
//! format 2.0; function URLs send the same. It does not become an `http::Request` first: that knows
//! no path with a blank, which is how API Gateway hands over an encoded one, no query with a
//! quotation mark, and no header in another language. Each would be a panic, and a 500.
//!
//! What stands for the gateway on a developer's machine writes the event a little differently: names
//! of headers in any case, and `null` where the gateway leaves a member out.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An event, or why it is none that can be answered as what it asks.
///
/// Reading it never fails: the runtime would report a failed invocation, of which the caller and the
/// metrics learn nothing.
pub(crate) struct Received(pub(crate) Result<Event, serde_json::Error>);

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(event.get())))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Percent-decoded by the gateway, with the stage before it.
    pub(crate) raw_path: String,
    /// As it arrived.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) raw_query_string: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) headers: Headers,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) is_base64_encoded: bool,
    pub(crate) request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestContext {
    /// The name that the gateway's own routing used.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) domain_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) stage: String,
    pub(crate) http: Http,
}

#[derive(Deserialize)]
pub(crate) struct Http {
    pub(crate) method: String,
}

/// Headers by their names in lower case; the values of one name are joined with commas.
#[derive(Default, Deserialize)]
#[serde(from = "BTreeMap<String, Option<String>>")]
pub(crate) struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header, by its name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl From<BTreeMap<String, Option<String>>> for Headers {
    fn from(received: BTreeMap<String, Option<String>>) -> Self {
        let mut headers = BTreeMap::<String, String>::new();
        for (mut name, value) in received {
            let Some(value) = value else { continue };
            name.make_ascii_lowercase();
            // A name in two cases is one header twice, and none of the two wins.
            headers
                .entry(name)
                .and_modify(|first| *first = format!("{first},{value}"))
                .or_insert(value);
        }
        Self(headers)
    }
}

/// Takes `null` for what is not there.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

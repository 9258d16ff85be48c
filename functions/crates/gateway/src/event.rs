//! The event with which API Gateway invokes a function.
//!
//! Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs",
//! payload format 2.0; function URLs send the same. It is not converted to an `http::Request`,
//! which cannot represent a path with a space (how API Gateway passes on an encoded one), a query
//! with a quotation mark, or a header that is not ASCII. Each would cause a panic and a 500.
//!
//! Local replacements of API Gateway write the event a little differently: header names in any
//! case, and `null` where API Gateway omits a member.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An event, or the error of reading it.
///
/// Deserializing never fails: otherwise the runtime would report a failed invocation, without a
/// response or a metric.
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

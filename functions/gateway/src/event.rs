//! The event with which API Gateway invokes a function, read as it is.
//!
//! Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs", payload
//! format 2.0; function URLs send the same. It does not become an `http::Request` first: that knows
//! no path with a blank, which is how API Gateway hands over an encoded one, no query with a
//! quotation mark, and no header in another language. Each would be a panic, and a 500.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Percent-decoded by the gateway, with the stage before it.
    pub(crate) raw_path: String,
    /// As it arrived.
    #[serde(default)]
    pub(crate) raw_query_string: String,
    /// By names in lower case; the values of one name are joined with commas.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) is_base64_encoded: bool,
    pub(crate) request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestContext {
    /// The name that the gateway's own routing used.
    #[serde(default)]
    pub(crate) domain_name: String,
    #[serde(default)]
    pub(crate) stage: String,
    pub(crate) http: Http,
}

#[derive(Deserialize)]
pub(crate) struct Http {
    pub(crate) method: String,
}

//! The JSON Schemas of the files that users write: the app descriptor, as this project reads it, and the
//! app's configuration.
//!
//! Members that this project does not read are allowed, because a descriptor may have many more. The
//! names of events come from the tables of `atlassian-connect`, and other names are allowed too.

use atlassian_connect::event::{EventName, TABLE};
use serde_json::{Value, json};

/// The path of the schema in an app.
pub const PATH: &str = "infra/atlassian-connect.schema.json";

/// The path of the configuration's schema in an app.
pub const CONFIGURATION_PATH: &str = "infra/atlassian-hooks.schema.json";

/// The descriptor's schema as the text of a file.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// The configuration's schema as the text of a file.
pub fn configuration_text() -> String {
    format!("{:#}\n", template::configuration::schema())
}

/// The descriptor's schema, of draft 2020-12.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Atlassian Connect app descriptor, as atlassian-hooks reads it",
        "type": "object",
        "required": ["key", "scopes", "lifecycle", "modules"],
        "properties": {
            "key": {
                "description": "The app's key, unique among all Atlassian apps. It cannot change later.",
                "type": "string",
                "pattern": "^[A-Za-z0-9._-]{1,80}$",
            },
            "name": { "description": "The app's name, for people.", "type": "string" },
            "description": { "description": "What the app does, for people.", "type": "string" },
            "baseUrl": {
                "description": "The deployed descriptor function fills it in. A value here is replaced.",
                "type": "string",
            },
            "authentication": {
                "description": "How requests from Atlassian are authenticated. Without jwt, nothing that arrives is signed.",
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": { "anyOf": [{ "const": "jwt" }, { "type": "string", "pattern": "^[jJ][wW][tT]$" }] },
                },
            },
            "apiVersion": {
                "description": "The major version of the app. It is 1 if it is left out.",
                "type": "integer",
            },
            "apiMigrations": {
                "description": "Atlassian's migrations that the app has made. This project needs gdpr, signed-install and context-qsh.",
                "type": "object",
                "properties": {
                    "gdpr": { "description": "Users are named by account ids.", "type": "boolean" },
                    "signed-install": { "description": "Installs are signed by Atlassian.", "type": "boolean" },
                    "context-qsh": { "description": "Tokens of a browser cannot pass for a webhook's.", "type": "boolean" },
                },
            },
            "scopes": {
                "description": "What the app may do. Webhooks need READ, or a scope that includes it.",
                "type": "array",
                "minItems": 1,
                "items": { "anyOf": [{ "enum": SCOPES }, { "type": "string", "minLength": 1 }] },
            },
            "lifecycle": {
                "description": "A relative URL for each callback.",
                "type": "object",
                "required": ["installed"],
                "properties": {
                    "installed": path("Called when a site installs the app. Its secret arrives here."),
                    "uninstalled": path("Called when a site uninstalls the app. Its secrets are deleted."),
                    "enabled": path("Called when the app is enabled."),
                    "disabled": path("Called when the app is disabled."),
                },
            },
            "modules": {
                "description": "The modules of the app. This project serves webhooks.",
                "type": "object",
                "required": ["webhooks"],
                "properties": {
                    "webhooks": {
                        "description": "The webhooks. `cargo hooks add EVENT` adds one.",
                        "type": "array",
                        "items": webhook(),
                    },
                },
            },
        },
    })
}

/// The scopes that Atlassian documents for Jira and Confluence.
const SCOPES: [&str; 8] = [
    "READ",
    "WRITE",
    "DELETE",
    "PROJECT_ADMIN",
    "SPACE_ADMIN",
    "ADMIN",
    "ACT_AS_USER",
    "ACCESS_EMAIL_ADDRESSES",
];

fn webhook() -> Value {
    let mut events: Vec<Value> = EventName::ALL
        .iter()
        .map(|event| json!({ "const": event.as_str(), "description": described(event) }))
        .collect();
    events.push(json!({
        "description": "An event that is not in the tables. It is passed on as it comes.",
        "type": "string",
        "pattern": "^[!-~]{1,100}$",
    }));
    json!({
        "type": "object",
        "required": ["event", "url"],
        "properties": {
            "event": {
                "description": "The name of the event. `cargo hooks events` lists them.",
                "anyOf": events,
            },
            "url": {
                "description": "The URL for the event, relative to the base URL. Jira replaces variables such as ${issue.key}.",
                "type": "string",
                "pattern": format!("^{SEGMENTS}(\\?[^ #]*)?$"),
            },
            "filter": {
                "description": "A JQL expression. Jira sends only events of issues that match it.",
                "type": "string",
            },
            "excludeBody": {
                "description": "Whether the webhook is sent without a body.",
                "type": "boolean",
            },
            "propertyKeys": {
                "description": "The entity properties that Jira adds to the body.",
                "type": "array",
                "items": { "type": "string" },
            },
            "params": {
                "description": "Names and values that the handler gets with each delivery. They are this project's own, and not served to Atlassian.",
                "type": "object",
                "properties": {
                    "handler": {
                        "description": "The name of the handler. Without it, the URL names the handler.",
                        "type": "string",
                        "maxLength": 40,
                        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
                    },
                },
                "additionalProperties": { "type": "string" },
            },
        },
    })
}

/// The products that send an event, and the payload type of each.
fn described(event: &EventName) -> String {
    let lines = TABLE.iter().filter(|line| line.event == *event);
    let lines = lines.map(|line| format!("{}: {}::{}", line.product, line.product, line.payload));
    lines.collect::<Vec<_>>().join(", ")
}

/// The segments of a path: each plain, or one whole variable.
const SEGMENTS: &str = r"(/([A-Za-z0-9._~-]*|\$\{[A-Za-z0-9._~-]+\}))+";

fn path(description: &str) -> Value {
    json!({ "description": description, "type": "string", "pattern": format!("^{SEGMENTS}$") })
}

//! The generator of `template.yaml`.
//!
//! The template is written out in full, one block for each URL and each handler, so that it can be
//! read, searched and reviewed as what it is: what will be in the account. Its shape is in
//! `template.yaml.j2`; only names and values come from here.
//!
//! CloudFormation takes 500 resources in a stack, after SAM has expanded its own. A URL takes two:
//! its receiver, and the API's permission to invoke it (its route and integration are lines of the
//! API's definition). A handler takes eight: function, event source, queue, dead-letter queue, its
//! role, the role that its receivers share, and two alarms. So
//! every event of both products fits, one URL each. What would be one for each URL is shared
//! instead: receivers have the role of their handler, all functions have one log group, and no URL
//! has an alarm of its own, as what goes wrong there is a 5xx of the API.

use atlassian_connect::delivery::Stored;
use atlassian_connect::descriptor::Descriptor;
use claim_check::Bodies;
use gateway::BaseUrl;
use handler::IdempotencyStore;
use lifecycle::App;
use lifecycle::install_keys::InstallKeys;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use receiver::{Declared, Queue};
use runtime::metrics;
use tenants::{Secrets, Table};

use crate::plan::Plan;

/// How long a handler may take for a batch, in seconds.
pub const HANDLER_TIMEOUT: u32 = 30;

/// How long a function behind the API may take, in seconds. The API itself waits for thirty.
pub const HTTP_TIMEOUT: u32 = 10;

/// How often a delivery is attempted before it is given up.
pub const MAX_ATTEMPTS: u32 = 5;

/// How often SQS hands a message out before it moves it to the dead-letter queue by itself. A handler
/// counts its attempts and gives up with a reason; this is the limit for functions that never get so
/// far, and far above.
pub const MAX_RECEIVES: u32 = 100;

/// How long the bodies of long deliveries are kept, in days: longer than a message that waits for four
/// days, is dead for fourteen, is replayed, and does both again.
const BODIES_DAYS: u32 = 40;

/// The memory of a function, in MB. Lambda gives CPU in proportion, and a cold start is TLS.
pub const MEMORY: u32 = 256;

/// What is logged of every request, by the names of "Customize HTTP API access logs" in API Gateway's
/// documentation. None of it can hold a token: neither path nor query is there.
const ACCESS_LOG: [(&str, &str); 8] = [
    ("requestId", "requestId"),
    ("routeKey", "routeKey"),
    ("status", "status"),
    ("integrationStatus", "integrationStatus"),
    ("integrationErrorMessage", "integrationErrorMessage"),
    ("responseLatency", "responseLatency"),
    ("integrationLatency", "integrationLatency"),
    ("sourceIp", "identity.sourceIp"),
];

/// The version of the generator, which a template names in its first line.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the generator that wrote a template, if it says so.
pub fn version_of(template: &str) -> Option<&str> {
    let (_, rest) = template.lines().next()?.split_once(", version ")?;
    rest.split_once(", ").map(|(version, _)| version)
}

/// What a template can have besides, if it is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extras {
    /// A new version takes over by degrees, and back if an alarm goes off; the parameter `Deployment`
    /// says how. Each function takes three resources more (a version, an alias and a deployment
    /// group), so that a URL takes five: too many for every event of both products in one stack.
    pub by_degrees: bool,
    /// A bucket for deliveries that are too long for a queue, even when compressed.
    pub bodies: bool,
}

impl Extras {
    /// Those of a template as it was written.
    pub fn of(template: &str) -> Self {
        Self {
            by_degrees: template.contains("\n    DeploymentPreference:"),
            bodies: template.contains("\n  BodiesBucket:"),
        }
    }
}

/// Writes the template of a descriptor, with nothing besides.
///
/// # Errors
///
/// minijinja's, which can only be a mistake in the template's own text.
pub fn render(descriptor: &Descriptor) -> Result<String, minijinja::Error> {
    render_with(descriptor, Extras::default())
}

/// Writes the template of a descriptor.
///
/// # Errors
///
/// As [`render`].
pub fn render_with(descriptor: &Descriptor, extras: Extras) -> Result<String, minijinja::Error> {
    let plan = Plan::of(descriptor);
    let mut jinja = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    jinja.set_syntax(syntax.build()?);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    // Nothing here is HTML.
    jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    jinja.add_filter("quoted", |text: String| quoted(&text));
    jinja.add_template("template.yaml", include_str!("template.yaml.j2"))?;
    jinja.get_template("template.yaml")?.render(context! {
        version => VERSION,
        names => context! {
            app_key => App::KEY,
            base_url => BaseUrl::VARIABLE,
            bodies => Bodies::VARIABLE,
            dead_letters => handler::Queue::DEAD_LETTERS,
            idempotency => IdempotencyStore::VARIABLE,
            install_keys => InstallKeys::VARIABLE,
            key => Secrets::KEY,
            lifecycle => App::LIFECYCLE,
            max_attempts => handler::Queue::MAX_ATTEMPTS,
            max_receives => handler::Queue::MAX_RECEIVES,
            other_base_urls => App::OTHER_BASE_URLS,
            queue => Queue::VARIABLE,
            retry_delay => handler::Queue::RETRY_DELAY,
            table => Table::VARIABLE,
            tenant_hosts => App::TENANT_HOSTS,
            webhooks => Declared::VARIABLE,
        },
        table => context! {
            key => Table::KEY,
            expires_at => Table::EXPIRES_AT,
            found => Table::FOUND,
        },
        idempotency => context! { key => IdempotencyStore::KEY, expires_at => IdempotencyStore::EXPIRES_AT },
        max_attempts => MAX_ATTEMPTS,
        max_receives => MAX_RECEIVES,
        metrics => context! {
            namespace => metrics::NAMESPACE,
            dimension => metrics::LOG_GROUP,
            reason => metrics::REASON,
            rejected => metrics::REJECTED,
            enqueue_failed => metrics::ENQUEUE_FAILED,
            install_rejected => metrics::INSTALL_REJECTED,
            events => metrics::ALL,
        },
        access_log => access_log(),
        by_degrees => extras.by_degrees,
        bodies => extras.bodies,
        bodies_prefix => Stored::PREFIX,
        bodies_days => BODIES_DAYS,
        memory => MEMORY,
        http_timeout => HTTP_TIMEOUT,
        install_keys_url => InstallKeys::ATLASSIAN,
        descriptor_path => Descriptor::PATH,
        handler_timeout => HANDLER_TIMEOUT,
        ..Value::from(Serde(&plan))
    })
}

fn access_log() -> String {
    let fields = ACCESS_LOG.map(|(name, variable)| format!("\"{name}\":\"$context.{variable}\""));
    format!("{{{}}}", fields.join(","))
}

/// A YAML scalar that is nothing but this text: single-quoted, or, if it holds what YAML does not
/// print, double-quoted with JSON's escapes.
fn quoted(text: &str) -> String {
    let printable = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{2028}'..='\u{2029}' | '\u{FEFF}' | '\u{FFFE}'..='\u{FFFF}')
    };
    if text.chars().all(printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let json = serde_json::Value::from(text).to_string();
    json.chars().fold(String::new(), |mut escaped, c| {
        match u16::try_from(u32::from(c)) {
            Ok(code) if !c.is_ascii() || c == '\u{7f}' => escaped += &format!("\\u{code:04x}"),
            _ => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_whatever_a_descriptor_holds() {
        for text in [
            "",
            "plain",
            "it's",
            "a: b # c",
            "{\"a\":\"'\"}",
            "tab\there\u{85}",
            "é\u{FFFE}😀",
            "\\u0041",
        ] {
            let yaml = format!("a: {}\n", quoted(text));
            let read: std::collections::BTreeMap<String, String> =
                serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read["a"], text, "{yaml}");
        }
    }
}

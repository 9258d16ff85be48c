//! The generator of `template.yaml`.
//!
//! The template is written out in full, one block for each URL and each handler, so that every
//! resource that will be in the account can be read, searched and reviewed. Its text is in
//! `template.yaml.j2`; only names and values come from here.
//!
//! CloudFormation allows 500 resources in a stack, after SAM has expanded its own. A URL takes two:
//! its receiver, and the API's permission to invoke it (its route and integration are lines of the
//! API's definition). A handler takes eight: function, event source, queue, dead-letter queue, its
//! role, the role that its receivers share, and two alarms. One for both Connect and Forge takes nine,
//! because their receivers may do different things. So
//! every event of both products fits, one URL each. What would be one for each URL is shared
//! instead: receivers have the role of their handler, all functions have one log group, and no URL
//! has an alarm of its own, as what goes wrong there is a 5xx of the API.

use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::jwt::InstallKey;
use atlassian_forge::keys::KEY_SET_URL;
use contract::{bodies_bucket, idempotency_table, metric, tenants_table, variable};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checksum::with_checksum;
use crate::configuration::Configuration;
use crate::plan::{Declarations, Plan};
use crate::yaml::{block, quoted};

/// The default of the parameter `HandlerConcurrency`: two is the minimum of an event source. Two
/// batches of ten are enough for some hundred events a second of a quick handler, and what waits is
/// safe in the queue. A new account can have as few as ten concurrent executions, which receivers
/// need as well.
const HANDLER_CONCURRENCY: u32 = 2;

/// The timeout of a handler function, in seconds.
pub const HANDLER_TIMEOUT: u32 = 30;

/// The timeout of a function behind the API, in seconds. The API itself waits for thirty.
pub const HTTP_TIMEOUT: u32 = 10;

/// The number of attempts before a delivery is given up.
pub const MAX_ATTEMPTS: u32 = 5;

/// The `maxReceiveCount` of a queue: how often SQS delivers a message before it moves it to the
/// dead-letter queue by itself. A handler counts its attempts and gives up with a reason, so this
/// limit is much higher. It is for functions that cannot start or are killed each time.
pub const MAX_RECEIVES: u32 = 100;

/// How long objects in the bucket are kept, in days: longer than a message that waits for four
/// days, is a dead letter for fourteen, is replayed, and then waits and is a dead letter again.
pub(crate) const BODIES_DAYS: u32 = 40;

/// The memory of a function, in MB. Lambda assigns CPU in proportion to it, and a cold start spends
/// most of its CPU on TLS.
pub const MEMORY: u32 = 256;

/// The fields of the access log, named as in "Customize HTTP API access logs" in API Gateway's
/// documentation. None of them can contain a token: path and query are not among them.
const ACCESS_LOG: [(&str, &str); 9] = [
    ("requestId", "requestId"),
    ("routeKey", "routeKey"),
    ("status", "status"),
    ("integrationStatus", "integrationStatus"),
    ("integrationErrorMessage", "integrationErrorMessage"),
    ("responseLatency", "responseLatency"),
    ("integrationLatency", "integrationLatency"),
    ("sourceIp", "identity.sourceIp"),
    // The request id of the function, by which all other lines name the delivery.
    ("delivery.id", "integration.requestId"),
];

/// The version of the generator, which a template names in its first line.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the generator that wrote a template, if it says so.
pub fn version_of(template: &str) -> Option<&str> {
    let (_, rest) = template.lines().next()?.split_once(", version ")?;
    rest.split_once(", ").map(|(version, _)| version)
}

/// The optional parts of a template.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateOptions {
    /// Canary deployments: traffic shifts gradually to a new version, and back if an alarm fires.
    /// The parameter `Deployment` has the options. Each function takes three more resources (a
    /// version, an alias and a deployment group), so that a URL takes five: too many for every
    /// event of both products in one stack.
    pub canary: bool,
    /// A bucket for deliveries that exceed the limit of a message even when compressed.
    pub bodies: bool,
    /// The number of the release, for canary deployments. A deployment publishes a new version of a
    /// function if the function changed in the template. It does not if only the value of a
    /// parameter changed; raise this number to publish one.
    pub release: u32,
    /// The parameter `ShowBodies`, for a handler that is the inspector.
    pub inspector: bool,
}

/// Renders the template of an app. Its second line has a checksum, by which
/// [`is_edited`](crate::is_edited) tells whether it was changed by hand.
///
/// # Errors
///
/// Returns an error of minijinja, which can only be a mistake in `template.yaml.j2`.
pub fn render<'a>(
    declared: impl Into<Declarations<'a>>,
    configuration: &Configuration,
) -> Result<String, minijinja::Error> {
    let plan = Plan::of(declared, configuration);
    let mut jinja = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    jinja.set_syntax(syntax.build()?);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    // Nothing here is HTML.
    jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    jinja.add_filter("quoted", |text: String| quoted(&text));
    // A value that JSON does not have can only come from a mistake in `template.yaml.j2`.
    jinja.add_filter("yaml", |value: Value, indent: Option<usize>| {
        block(&serde_json::to_value(value).unwrap_or_default(), indent.unwrap_or_default())
    });
    jinja.add_template("template.yaml", include_str!("template.yaml.j2"))?;
    let text = jinja.get_template("template.yaml")?.render(context! {
        version => VERSION,
        variable => context! {
            app_key => variable::APP_KEY,
            atlassian_url => variable::ATLASSIAN_URL,
            base_url => variable::BASE_URL,
            bodies_bucket => variable::BODIES_BUCKET,
            dead_letter_queue_url => variable::DEAD_LETTER_QUEUE_URL,
            endpoint => variable::ENDPOINT,
            existing_server => variable::EXISTING_SERVER,
            idempotency_table => variable::IDEMPOTENCY_TABLE,
            install_keys_url => variable::INSTALL_KEYS_URL,
            key_set_url => variable::KEY_SET_URL,
            lifecycle => variable::LIFECYCLE,
            log_level => variable::LOG_LEVEL,
            max_attempts => variable::MAX_ATTEMPTS,
            max_receives => variable::MAX_RECEIVES,
            other_base_urls => variable::OTHER_BASE_URLS,
            queue_url => variable::QUEUE_URL,
            retry_delay => variable::RETRY_DELAY,
            show_bodies => variable::SHOW_BODIES,
            tenant_hosts => variable::TENANT_HOSTS,
            tenants_key => variable::TENANTS_KEY,
            tenants_table => variable::TENANTS_TABLE,
            webhooks => variable::WEBHOOKS,
        },
        tenants_table => context! {
            key => tenants_table::KEY,
            expires_at => tenants_table::EXPIRES_AT,
            data_key => tenants_table::DATA_KEY,
            data_key_prefix => tenants_table::DATA_KEY_PREFIX,
            receiver_reads => tenants_table::RECEIVER_READS,
            caller_reads => tenants_table::CALLER_READS,
        },
        idempotency_table => context! {
            key => idempotency_table::KEY,
            expires_at => idempotency_table::EXPIRES_AT,
        },
        max_attempts => MAX_ATTEMPTS,
        metrics => context! {
            namespace => metric::NAMESPACE,
            log_group => metric::LOG_GROUP,
            reason => metric::REASON,
            rejected => metric::REJECTED,
            enqueue_failed => metric::ENQUEUE_FAILED,
            install_rejected => metric::INSTALL_REJECTED,
            failed => metric::FAILED,
            late => metric::LATE,
            dead_letters => metric::DEAD_LETTERS,
            all => metric::ALL,
        },
        access_log => access_log(),
        canary => configuration.template.canary,
        release => configuration.template.release,
        handler_concurrency => HANDLER_CONCURRENCY,
        receiver_reserved => configuration.receivers.reserved_concurrency,
        lifecycle_reserved => configuration.lifecycle.as_ref().and_then(|one| one.reserved_concurrency),
        bodies => configuration.template.bodies,
        inspector => configuration.template.inspector,
        existing_server => Serde(&configuration.existing_server),
        calls => plan.handlers.iter().any(|handler| !handler.settings.calls.is_empty()),
        own => context! {
            parameters => Serde(&configuration.parameters),
            conditions => Serde(&configuration.conditions),
            resources => Serde(&configuration.resources),
            outputs => Serde(&configuration.outputs),
            tags => Serde(&configuration.tags),
            tag_list => tag_list(configuration),
            permissions_boundary => Serde(&configuration.permissions_boundary),
            role_path => Serde(&configuration.role_path),
        },
        bodies_prefix => bodies_bucket::PREFIX,
        bodies_days => BODIES_DAYS,
        memory => MEMORY,
        http_timeout => HTTP_TIMEOUT,
        install_keys_url => InstallKey::SERVER,
        key_set_url => KEY_SET_URL,
        descriptor_path => Descriptor::PATH,
        ..Value::from(Serde(&plan))
    })?;
    Ok(with_checksum(&text))
}

/// Tags as resources of CloudFormation take them.
fn tag_list(configuration: &Configuration) -> Value {
    let tags = configuration.tags.iter();
    let tags = tags.map(|(key, value)| serde_json::json!({ "Key": key, "Value": value }));
    Value::from(Serde(tags.collect::<Vec<_>>()))
}

fn access_log() -> String {
    let fields = ACCESS_LOG.map(|(name, variable)| format!("\"{name}\":\"$context.{variable}\""));
    format!("{{{}}}", fields.join(","))
}

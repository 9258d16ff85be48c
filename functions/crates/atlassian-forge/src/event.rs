//! Events of Forge: their names, bodies and payload types.
//!
//! [`TABLE`] lists the events that are known, with the product that sends each, the scopes that
//! a manifest needs for it, and its payload type. An event that is not listed passes as well, as
//! an [`OtherEvent`].
//!
//! # What the payload types promise
//!
//! The same as those of Connect ([`atlassian_connect::event`]): they need little, what is malformed
//! is left out, null counts as absent, and unknown fields are ignored. A type that has the same
//! form in both, such as an issue, is Connect's. What differs:
//!
//! * The name of an event is in `eventType`, not `webhookEvent`.
//! * Times are texts: milliseconds since 1970 in Jira, RFC 3339 in Confluence. An [`EventTime`] is
//!   either.
//! * Jira sends an issue with a dozen fields. Which fields a live site sends is not confirmed.
//! * The text of a comment is a document in the Atlassian Document Format.
//! * The acting user is an account id, `atlassianId`.
//!
//! All types are [`FromPayload`], so a handler takes them as it takes Connect's.

mod body;
pub mod confluence;
mod counterparts;
pub mod jira;
mod lifecycle;
mod table;
mod time;

pub use body::{Body, Form, RetryContext};
pub use counterparts::{COUNTERPARTS, counterparts};
pub use lifecycle::{App, Environment, LifecycleEvent, ModuleContext, PreUninstallEvent};
pub use table::TABLE;
pub use time::EventTime;

use atlassian_connect::event::lenient::Lenient;
use atlassian_connect::event::object::object;
use atlassian_connect::event::{
    EventName, FromPayload, Product as ConnectProduct, Reading, Unreadable, decode,
};
use atlassian_connect::payload::Payload;

/// The name under which the module `preUninstall` is queued. Its body has none.
pub const PRE_UNINSTALL: &str = "preUninstall";

/// Where an event comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Product {
    /// Jira.
    Jira,
    /// Jira Software: boards and sprints.
    JiraSoftware,
    /// Jira Service Management.
    JiraServiceManagement,
    /// Confluence.
    Confluence,
    /// Bitbucket.
    Bitbucket,
    /// Compass.
    Compass,
    /// The policies with which an organization blocks apps.
    AppPolicy,
    /// Forge itself: the life of an installation.
    Forge,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Jira,
        Self::JiraSoftware,
        Self::JiraServiceManagement,
        Self::Confluence,
        Self::Bitbucket,
        Self::Compass,
        Self::AppPolicy,
        Self::Forge,
    ];

    /// The product as event names write it, after `avi:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jira => "jira",
            Self::JiraSoftware => "jira-software",
            Self::JiraServiceManagement => "jsm-entity",
            Self::Confluence => "confluence",
            Self::Bitbucket => "bitbucket",
            Self::Compass => "compass",
            Self::AppPolicy => "ecosystem.app_policy",
            Self::Forge => "forge",
        }
    }

    /// The product of an event, by its name. `None` for an event of an app, and for a product that
    /// is not known.
    pub fn of(event: &str) -> Option<Self> {
        let (product, _) = event.strip_prefix("avi:")?.split_once(':')?;
        Self::ALL.into_iter().find(|known| known.as_str() == product)
    }
}

/// An event of [`TABLE`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventSpec {
    /// The name, such as `avi:jira:created:issue`.
    pub name: &'static str,
    /// The product that sends it.
    pub product: Product,
    /// What it is about, such as `issue`.
    pub family: &'static str,
    /// What lists it.
    pub source: Source,
    /// The scopes that it needs.
    pub scopes: Scopes,
    /// The name of its payload type, in this module.
    pub payload: &'static str,
}

impl EventSpec {
    /// Finds a known event by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|spec| spec.name == name)
    }
}

/// What lists an event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Source {
    /// Atlassian's documentation, and the list of scopes in Forge's own tool.
    Both,
    /// Atlassian's documentation alone. `forge lint` does not check its scopes.
    Documentation,
    /// The list of scopes in Forge's own tool alone. What such an event contains is not documented.
    Tool,
}

/// The scopes of a manifest that an event needs. A manifest that lacks them is refused by `forge
/// deploy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scopes {
    /// None.
    None,
    /// All of `classic`, or all of `granular`. Empty granular scopes are not known.
    AnyOf {
        /// The scopes that Atlassian recommends.
        classic: &'static [&'static str],
        /// The scopes of single resources.
        granular: &'static [&'static str],
    },
    /// It needs some, and the documentation does not say which.
    Unknown,
}

/// Reads a payload as the one of these types that has a name; an [`OtherEvent`], if none has.
macro_rules! read_as {
    ($name:ident, $product:ident, $event:ident, $payload:ident, $reading:expr; $($Type:path,)+) => {{
        $(if $name == stringify!($Type) {
            <$Type>::from_payload($product, $event, $payload, $reading).map(drop)
        } else)+ {
            OtherEvent::from_payload($product, $event, $payload, $reading).map(drop)
        }
    }};
}
/// The reading of a payload before anyone has read it: [`Reading::Unread`], or [`Reading::Unknown`] if
/// nobody can.
pub fn before(event: &EventName) -> Reading {
    payload_type(event.as_str()).map_or(Reading::Unknown, |_| Reading::Unread)
}

/// Tries to read a payload as the payload type of its event. It links every reader.
pub fn reading(product: ConnectProduct, event: &EventName, payload: &Payload) -> Reading {
    let mut reading = Reading::Read;
    let read: Result<(), Unreadable> = match payload_type(event.as_str()) {
        None => return Reading::Unknown,
        Some(carried) => read_as!(carried, product, event, payload, &mut reading;
            jira::IssueEvent, jira::CommentEvent, jira::IssueLinkEvent, jira::VersionEvent,
            jira::ProjectEvent, jira::WorklogEvent, jira::AttachmentEvent, jira::SprintEvent,
            jira::BoardEvent, confluence::ContentEvent, confluence::CommentEvent,
            confluence::SpaceEvent, confluence::LabelEvent, LifecycleEvent, PreUninstallEvent,
        ),
    };
    match read {
        Ok(()) | Err(Unreadable::Empty { .. }) => reading,
        Err(unreadable) => Reading::Unreadable(unreadable.to_string().into()),
    }
}

/// The name of an event's payload type, in this module. `None` if the event is unknown.
pub fn payload_type(event: &str) -> Option<&'static str> {
    match event {
        PRE_UNINSTALL => Some("PreUninstallEvent"),
        event => EventSpec::find(event).map(|spec| spec.payload),
    }
}

/// Reads a payload as a type of this crate, if the event has this type.
fn from_payload<T: Lenient>(
    name: &'static str,
    product: ConnectProduct,
    event: &EventName,
    payload: &Payload,
    reading: &mut Reading,
) -> Result<T, Unreadable> {
    if name != "OtherEvent" && payload_type(event.as_str()) != Some(name) {
        let carriers = TABLE.iter().filter(|spec| spec.payload == name).map(|spec| spec.name);
        let takes = carriers.collect::<Vec<_>>().join(", ").into();
        return Err(Unreadable::OtherEvent { product, event: event.clone(), takes });
    }
    decode(name, product, event, payload, reading)
}

/// Makes types readable by handlers. A type is known by its name in [`TABLE`], with its module.
macro_rules! payload_types {
    ($module:literal: $($Name:ident),+) => {$(
        impl atlassian_connect::event::FromPayload for $Name {
            fn from_payload(
                product: atlassian_connect::event::Product,
                event: &atlassian_connect::event::EventName,
                payload: &atlassian_connect::payload::Payload,
                reading: &mut atlassian_connect::event::Reading,
            ) -> Result<Self, atlassian_connect::event::Unreadable> {
                let name = concat!($module, stringify!($Name));
                $crate::event::from_payload(name, product, event, payload, reading)
            }
        }
    )+};
}
use payload_types;

object! {
    /// An event of any kind: what most have in common, and the other fields as raw JSON.
    #[derive(Default)]
    pub struct OtherEvent {
        /// The name of the event.
        "eventType" => event_type: Option<EventName>,
        /// When it happened. Events of Confluence have `event_created_date`.
        "timestamp" => timestamp: Option<EventTime>,
        /// When it happened, in Confluence.
        "eventCreatedDate" => event_created_date: Option<EventTime>,
        /// The account id of the user who did it; absent if that was nobody known.
        "atlassianId" => atlassian_id: Option<String>,
        /// Whether the app itself did it.
        "selfGenerated" => self_generated: Option<bool>,
        ..extra
    }
}

payload_types!("": OtherEvent);

//! Events of Jira and Confluence, and their payload types.
//!
//! [`TABLE`] lists all events. Each has:
//!
//! * a **name**, an [`EventName`]. Unknown names are accepted;
//! * a **payload type**, one of about forty. Events of the same shape share a type. The types of
//!   Jira are in [`jira`], those of Confluence in [`confluence`];
//! * an **era**: whether the documentation of 2014 lists it, the current documentation, or both.
//!
//! Lifecycle callbacks can reach a handler as well, as a [`LifecycleEvent`] each. They are no webhooks,
//! so [`TABLE`] does not list them.
//!
//! A handler for one kind of event reads its payload type, as in `Delivery<jira::IssueEvent>`; then
//! the parsers of other types are not linked. A handler for several kinds reads an [`Event`] and
//! matches on it. See [`FromPayload`].
//!
//! # What the payload types promise
//!
//! Atlassian documents the bodies of few events, and has changed most of them since 2014.
//! Therefore:
//!
//! * Types need little. An [`IssueEvent`](jira::IssueEvent) needs its [`Issue`](jira::Issue), with
//!   its `id` and `key`. Every other type only needs to be a JSON object. Everything else is an
//!   `Option`, a list that can be empty, or an object whose fields can all be absent.
//! * A malformed field is left out, as if it were absent, and [`Reading::Partly`] has its path.
//!   This also applies to items of lists, and to what an event is about, such as the `page` of a
//!   `page_created`, if the body does not have it.
//! * Null counts as absent everywhere, and so does an empty text where no text is expected. Neither
//!   is reported.
//! * Unknown fields are ignored; they are still in the delivery's raw payload.
//! * A lone surrogate, which JSON can write and Rust cannot represent, is read as U+FFFD.
//! * Unknown words of Atlassian's (a state, a kind, a type) are kept.
//! * An [`Id`] is read from a string or a number.
//! * A [`Moment`] is a time in any format that has been observed, or the text of any other.
//! * A [`RichText`] is wiki markup or a document, and returns the plain text of either.

pub mod confluence;
mod host;
mod id;
pub mod jira;
mod left_out;
#[doc(hidden)]
pub mod lenient;
mod lifecycle;
mod moment;
#[doc(hidden)]
pub mod object;
mod read;
mod rich_text;
#[doc(hidden)]
pub mod string_enum;
mod table;

pub use host::{AddonEvent, PluginEvent, UpgradeEvent};
pub use id::Id;
pub use left_out::LeftOut;
pub use lifecycle::LifecycleEvent;
pub use moment::{Day, Moment};
pub use object::{ExtraFields, UnconfirmedEvent};
#[doc(hidden)]
pub use read::decode;
pub use read::{FromPayload, PayloadType, Reading, Unreadable};
pub use rich_text::RichText;
pub use string_enum::AccountType;

use std::any::TypeId;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lifecycle::Callback;
use crate::payload::Payload;
use lenient::Lenient;
use table::{line, line_doc, names, naming};

/// The tables of events.
///
/// The names, the typed events, their parsers and the checks are all made from them. To support a
/// new event, add one line, and a sample body in `infra/atlassian-simulator/samples`:
///
/// `"name" => Variant: PayloadType, Era, Basis;`
///
/// An event of Jira has a last column, its [`Naming`]: `own`, `none`, or the other event and the
/// member, as in `[VersionDeleted "mergedTo"]`. No body of Confluence names its event.
///
/// The first section holds the names that both products have: what Jira sends, then what Confluence
/// sends. They may be different things.
macro_rules! tables {
    ($read:ident!) => {
        $read! {
            shared {
                "app_policy_changed" => AppPolicyChanged: UnconfirmedEvent, Today, Inferred, own | UnconfirmedEvent, Today, Inferred;
                "attachment_created" => AttachmentCreated: AttachmentEvent, Today, Observed, own | AttachmentsEvent, Both, Documented;
                "comment_created" => CommentCreated: CommentEvent, Today, Observed, own | CommentEvent, Both, Observed;
                "comment_updated" => CommentUpdated: CommentEvent, Today, Observed, own | CommentEvent, Both, Documented;
                "connect_addon_disabled" => ConnectAddonDisabled: AddonEvent, Both, Documented, none | AddonEvent, Both, Documented;
                "connect_addon_enabled" => ConnectAddonEnabled: AddonEvent, Both, Documented, none | AddonEvent, Both, Documented;
                "plugin_enabled" => PluginEnabled: PluginEvent, Legacy, Inferred, none | PluginEvent, Both, Inferred;
                "plugins_upgraded" => PluginsUpgraded: UpgradeEvent, Legacy, Documented, none | UpgradeEvent, Legacy, Documented;
                "remote_plugin_disabled" => RemotePluginDisabled: PluginEvent, Legacy, Documented, none | PluginEvent, Legacy, Documented;
                "remote_plugin_enabled" => RemotePluginEnabled: PluginEvent, Legacy, Documented, none | PluginEvent, Legacy, Documented;
                "remote_plugin_installed" => RemotePluginInstalled: PluginEvent, Legacy, Documented, none | PluginEvent, Legacy, Documented;
                "server_upgraded" => ServerUpgraded: UpgradeEvent, Legacy, Documented, none | UpgradeEvent, Legacy, Documented;
                "user_created" => UserCreated: UserEvent, Today, Observed, own | UserEvent, Both, Documented;
            }

            jira {
                "app_access_to_objects_blocked" => AppAccessToObjectsBlocked: UnconfirmedEvent, Today, Inferred, own;
                "app_access_to_objects_in_container_blocked" => AppAccessToObjectsInContainerBlocked: UnconfirmedEvent, Today, Inferred, own;
                "attachment_deleted" => AttachmentDeleted: AttachmentEvent, Today, Observed, own;
                "board_configuration_changed" => BoardConfigurationChanged: BoardConfigurationEvent, Today, Observed, own;
                "board_created" => BoardCreated: BoardEvent, Today, Observed, own;
                "board_deleted" => BoardDeleted: BoardEvent, Today, Observed, own;
                "board_updated" => BoardUpdated: BoardEvent, Today, Observed, own;
                "comment_deleted" => CommentDeleted: CommentEvent, Today, Observed, own;
                "filter_created" => FilterCreated: FilterEvent, Today, Inferred, own;
                "filter_deleted" => FilterDeleted: FilterEvent, Today, Inferred, own;
                "filter_updated" => FilterUpdated: FilterEvent, Today, Inferred, own;
                "issue_property_deleted" => IssuePropertyDeleted: IssuePropertyEvent, Today, Inferred, own;
                "issue_property_set" => IssuePropertySet: IssuePropertyEvent, Today, Inferred, own;
                "issuelink_created" => IssueLinkCreated: IssueLinkEvent, Today, Observed, own;
                "issuelink_deleted" => IssueLinkDeleted: IssueLinkEvent, Today, Observed, own;
                "issuetype_created" => IssueTypeCreated: IssueTypeEvent, Today, Inferred, own;
                "issuetype_deleted" => IssueTypeDeleted: IssueTypeEvent, Today, Inferred, own;
                "issuetype_updated" => IssueTypeUpdated: IssueTypeEvent, Today, Inferred, own;
                "jira-webhook-post-function" => JiraWebhookPostFunction: PostFunctionEvent, Legacy, Inferred, none;
                "jira:issue_created" => IssueCreated: IssueEvent, Both, Observed, own;
                "jira:issue_deleted" => IssueDeleted: IssueEvent, Both, Observed, own;
                "jira:issue_updated" => IssueUpdated: IssueEvent, Both, Observed, own;
                "jira:version_created" => VersionCreated: VersionEvent, Today, Observed, own;
                "jira:version_deleted" => VersionDeleted: VersionEvent, Today, Observed, own;
                "jira:version_merged" => VersionMerged: VersionEvent, Today, Inferred, [VersionDeleted "mergedTo"];
                "jira:version_moved" => VersionMoved: VersionEvent, Today, Inferred, own;
                "jira:version_released" => VersionReleased: VersionEvent, Today, Observed, own;
                "jira:version_unreleased" => VersionUnreleased: VersionEvent, Today, Inferred, own;
                "jira:version_updated" => VersionUpdated: VersionEvent, Today, Inferred, own;
                "jira:worklog_updated" => JiraWorklogUpdated: IssueEvent, Both, Inferred, own;
                "jira_expression_evaluation_failed" => JiraExpressionEvaluationFailed: UnconfirmedEvent, Today, Inferred, own;
                "option_attachments_changed" => OptionAttachmentsChanged: OptionEvent, Today, Inferred, own;
                "option_issuelinks_changed" => OptionIssueLinksChanged: OptionEvent, Today, Inferred, own;
                "option_subtasks_changed" => OptionSubtasksChanged: OptionEvent, Today, Inferred, own;
                "option_timetracking_changed" => OptionTimeTrackingChanged: OptionEvent, Today, Inferred, own;
                "option_timetracking_provider_changed" => OptionTimeTrackingProviderChanged: OptionEvent, Today, Inferred, own;
                "option_unassigned_issues_changed" => OptionUnassignedIssuesChanged: OptionEvent, Today, Inferred, own;
                "option_voting_changed" => OptionVotingChanged: OptionEvent, Today, Inferred, own;
                "option_watching_changed" => OptionWatchingChanged: OptionEvent, Today, Inferred, own;
                "project_app_disabled" => ProjectAppDisabled: ProjectAppEvent, Today, Inferred, own;
                "project_app_enabled" => ProjectAppEnabled: ProjectAppEvent, Today, Inferred, own;
                "project_archived" => ProjectArchived: ProjectEvent, Today, Inferred, own;
                "project_created" => ProjectCreated: ProjectEvent, Today, Observed, own;
                "project_deleted" => ProjectDeleted: ProjectEvent, Today, Observed, own;
                "project_restored_archived" => ProjectRestoredArchived: ProjectEvent, Today, Inferred, own;
                "project_restored_deleted" => ProjectRestoredDeleted: ProjectEvent, Today, Inferred, own;
                "project_soft_deleted" => ProjectSoftDeleted: ProjectEvent, Today, Inferred, own;
                "project_updated" => ProjectUpdated: ProjectEvent, Today, Observed, own;
                "remote_issue_link_aggregate_cleared_event" => RemoteIssueLinkAggregateCleared: UnconfirmedEvent, Legacy, Inferred, none;
                "remote_workflow_post_function" => RemoteWorkflowPostFunction: PostFunctionEvent, Legacy, Inferred, none;
                "sprint_closed" => SprintClosed: SprintEvent, Today, Observed, own;
                "sprint_created" => SprintCreated: SprintEvent, Today, Observed, own;
                "sprint_deleted" => SprintDeleted: SprintEvent, Today, Observed, own;
                "sprint_started" => SprintStarted: SprintEvent, Today, Observed, own;
                "sprint_updated" => SprintUpdated: SprintEvent, Today, Observed, own;
                "user_deleted" => UserDeleted: UserEvent, Today, Observed, none;
                "user_updated" => UserUpdated: UserEvent, Today, Observed, own;
                "worklog_created" => WorklogCreated: WorklogEvent, Today, Observed, own;
                "worklog_deleted" => WorklogDeleted: WorklogEvent, Today, Observed, own;
                "worklog_updated" => WorklogUpdated: WorklogEvent, Today, Observed, own;
            }

            confluence {
                "attachment_archived" => AttachmentArchived: AttachmentsEvent, Today, Inferred;
                "attachment_removed" => AttachmentRemoved: AttachmentsEvent, Both, Documented;
                "attachment_restored" => AttachmentRestored: AttachmentsEvent, Today, Inferred;
                "attachment_trashed" => AttachmentTrashed: AttachmentsEvent, Today, Inferred;
                "attachment_unarchived" => AttachmentUnarchived: AttachmentsEvent, Today, Inferred;
                "attachment_updated" => AttachmentUpdated: AttachmentsEvent, Both, Documented;
                "attachment_viewed" => AttachmentViewed: AttachmentsEvent, Both, Documented;
                "blog_created" => BlogCreated: BlogEvent, Both, Documented;
                "blog_moved" => BlogMoved: BlogEvent, Today, Inferred;
                "blog_removed" => BlogRemoved: BlogEvent, Both, Documented;
                "blog_restored" => BlogRestored: BlogEvent, Both, Documented;
                "blog_trashed" => BlogTrashed: BlogEvent, Both, Documented;
                "blog_updated" => BlogUpdated: BlogEvent, Both, Documented;
                "blog_viewed" => BlogViewed: BlogEvent, Both, Documented;
                "blueprint_page_created" => BlueprintPageCreated: BlueprintPageEvent, Today, Documented;
                "cache_statistics_changed" => CacheStatisticsChanged: UnconfirmedEvent, Legacy, Inferred;
                "comment_removed" => CommentRemoved: CommentEvent, Both, Documented;
                "content_created" => ContentCreated: ContentEvent, Today, Observed;
                "content_permissions_updated" => ContentPermissionsUpdated: ContentStateEvent, Today, Inferred;
                "content_removed" => ContentRemoved: ContentEvent, Today, Observed;
                "content_restored" => ContentRestored: ContentStateEvent, Today, Inferred;
                "content_trashed" => ContentTrashed: ContentStateEvent, Today, Inferred;
                "content_updated" => ContentUpdated: ContentEvent, Today, Observed;
                "group_created" => GroupCreated: GroupEvent, Both, Documented;
                "group_removed" => GroupRemoved: GroupEvent, Both, Documented;
                "label_added" => LabelAdded: LabelEvent, Both, Documented;
                "label_created" => LabelCreated: LabelEvent, Both, Documented;
                "label_deleted" => LabelDeleted: LabelEvent, Both, Documented;
                "label_removed" => LabelRemoved: LabelEvent, Both, Documented;
                "login" => Login: LoginEvent, Both, Documented;
                "login_failed" => LoginFailed: LoginEvent, Both, Documented;
                "logout" => Logout: LoginEvent, Both, Documented;
                "page_archived" => PageArchived: PageEvent, Today, Inferred;
                "page_children_reordered" => PageChildrenReordered: PageOrderEvent, Both, Documented;
                "page_copied" => PageCopied: PageCopyEvent, Today, Inferred;
                "page_created" => PageCreated: PageEvent, Both, Observed;
                "page_initialized" => PageInitialized: PageEvent, Today, Inferred;
                "page_moved" => PageMoved: PageMoveEvent, Both, Observed;
                "page_published" => PagePublished: PageEvent, Today, Inferred;
                "page_removed" => PageRemoved: PageEvent, Both, Observed;
                "page_restored" => PageRestored: PageEvent, Both, Observed;
                "page_snapshotted" => PageSnapshotted: PageEvent, Today, Inferred;
                "page_started" => PageStarted: PageEvent, Today, Inferred;
                "page_trashed" => PageTrashed: PageEvent, Both, Observed;
                "page_unarchived" => PageUnarchived: PageEvent, Today, Inferred;
                "page_updated" => PageUpdated: PageEvent, Both, Observed;
                "page_viewed" => PageViewed: PageEvent, Both, Documented;
                "relation_created" => RelationCreated: RelationEvent, Today, Inferred;
                "relation_deleted" => RelationDeleted: RelationEvent, Today, Inferred;
                "search_performed" => SearchPerformed: SearchEvent, Both, Documented;
                "space_created" => SpaceCreated: SpaceEvent, Both, Documented;
                "space_logo_updated" => SpaceLogoUpdated: SpaceEvent, Both, Documented;
                "space_permissions_updated" => SpacePermissionsUpdated: SpaceEvent, Both, Documented;
                "space_removed" => SpaceRemoved: SpaceEvent, Both, Documented;
                "space_trashed" => SpaceTrashed: SpaceEvent, Today, Inferred;
                "space_updated" => SpaceUpdated: SpaceEvent, Both, Documented;
                "status_cleared" => StatusCleared: StatusEvent, Legacy, Documented;
                "status_created" => StatusCreated: StatusEvent, Legacy, Documented;
                "status_removed" => StatusRemoved: StatusEvent, Legacy, Documented;
                "theme_enabled" => ThemeEnabled: UnconfirmedEvent, Today, Inferred;
                "user_deactivated" => UserDeactivated: UserEvent, Both, Documented;
                "user_followed" => UserFollowed: UserEvent, Both, Documented;
                "user_reactivated" => UserReactivated: UserEvent, Both, Documented;
                "user_removed" => UserRemoved: UserEvent, Both, Documented;
            }
        }
    };
}
use tables;

tables!(names!);

/// A product that sends webhooks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Jira.
    Jira,
    /// Confluence.
    Confluence,
    /// Bitbucket. It is not a product of Connect, and its events are not typed.
    Bitbucket,
}

impl Product {
    /// The name of the product, as in the `productType` of a lifecycle callback.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jira => "jira",
            Self::Confluence => "confluence",
            Self::Bitbucket => "bitbucket",
        }
    }

    /// The path in the base URL of a site of Atlassian's cloud, such as `/wiki` in
    /// `https://demo.atlassian.net/wiki`.
    pub fn base_path(self) -> &'static str {
        match self {
            Self::Jira | Self::Bitbucket => "",
            Self::Confluence => "/wiki",
        }
    }

    /// Parses the `productType` of a lifecycle callback. `None` for any other product.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Jira, Self::Confluence].into_iter().find(|product| product.as_str() == name)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EventName {
    /// Whether the name is in the tables.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::_Other(_))
    }

    /// Whether this product can send the event. An unknown event can come from either product.
    pub fn may_come_from(&self, product: Product) -> bool {
        self.products().is_empty() || self.products().contains(&product)
    }

    /// How a body of this product says that it is this event. One that the tables do not list has its
    /// own name in a body of Jira's.
    pub fn naming(&self, product: Product) -> Naming {
        match (self.spec(product), product) {
            (Some(line), _) => line.naming.clone(),
            (None, Product::Jira) => Naming::Own,
            (None, Product::Confluence | Product::Bitbucket) => Naming::None,
        }
    }

    /// Whether a body of this product says which event it is.
    pub fn names_itself(&self, product: Product) -> bool {
        !matches!(self.naming(product), Naming::None)
    }

    /// The entry of the event in this product's table, if there is one.
    pub fn spec(&self, product: Product) -> Option<&'static EventSpec> {
        TABLE.iter().find(|line| line.product == product && line.event == *self)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for EventName {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.as_str().into()
    }
}

impl Lenient for EventName {
    const EXPECTED: &'static str = "the name of an event";

    fn text(name: &str) -> Option<Self> {
        Some(Self::from(name))
    }
}

/// An event of a product: an entry of [`TABLE`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventSpec {
    /// The product that sends it.
    pub product: Product,
    /// The name of the event.
    pub event: EventName,
    /// Which documentation lists it.
    pub era: Era,
    /// The source of the payload type.
    pub basis: Basis,
    /// How its body says which event it is.
    pub naming: Naming,
    /// The name of the payload type, in the module of the product.
    pub payload: &'static str,
    payload_type: TypeId,
}

impl EventSpec {
    /// Whether the payload type of the event is `T`.
    pub fn carries<T: PayloadType>(&self) -> bool {
        self.payload_type == TypeId::of::<T>()
    }
}

/// Which documentation of Atlassian's lists an event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Era {
    /// The documentation of 2014, and no current list. Current products may never send it.
    Legacy,
    /// The current documentation, the descriptor's schema, or Atlassian's Webhook Inspector.
    Today,
    /// Both.
    Both,
}

/// The source of what is known about the body of an event, best first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Basis {
    /// Bodies of this event from real sites.
    Observed,
    /// Atlassian's documentation, or the sources of Connect that Atlassian published.
    Documented,
    /// The event's name, and the bodies of similar events. It may be wrong.
    Inferred,
}

/// How a body says which event it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Naming {
    /// `webhookEvent` has the event's name.
    Own,
    /// `webhookEvent` has the name of another event, and there is a member that a body of the other
    /// lacks. Jira delivers a merge of versions as the deletion of the one that is gone.
    Other {
        /// The other event.
        event: EventName,
        /// The member.
        member: &'static str,
    },
    /// Not at all. Jira makes these bodies in other ways than its other webhooks.
    None,
}

/// An event of either product, or of a tenant, with its payload, read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An event of Jira.
    Jira(jira::Event),
    /// An event of Confluence.
    Confluence(confluence::Event),
    /// A lifecycle callback.
    Lifecycle(Box<LifecycleEvent>),
}

impl Event {
    /// The name of the event.
    pub fn name(&self) -> EventName {
        match self {
            Self::Jira(event) => event.name(),
            Self::Confluence(event) => event.name(),
            Self::Lifecycle(event) => EventName::from(event.callback.as_str()),
        }
    }
}

impl FromPayload for Event {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable> {
        if Callback::parse(event.as_str()).is_some() {
            let event = LifecycleEvent::from_payload(product, event, payload, reading)?;
            return Ok(Self::Lifecycle(Box::new(event)));
        }
        Ok(match product {
            Product::Jira => {
                Self::Jira(FromPayload::from_payload(product, event, payload, reading)?)
            }
            Product::Confluence => {
                Self::Confluence(FromPayload::from_payload(product, event, payload, reading)?)
            }
            Product::Bitbucket => return Err(Unreadable::untyped(product, event)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn lists_what_the_documentation_of_2014_lists() {
        let of = |product| {
            TABLE.iter().filter(move |line| line.product == product && line.era != Era::Today)
        };
        assert_eq!(of(Product::Jira).count(), 15);
        assert_eq!(of(Product::Confluence).count(), 53);
        let names: HashSet<_> =
            of(Product::Jira).chain(of(Product::Confluence)).map(|l| &l.event).collect();
        assert_eq!(names.len(), 60);
    }

    #[test]
    fn every_name_reads_back_as_itself() {
        for name in EventName::ALL {
            assert_eq!(EventName::from(name.as_str()), *name);
            assert!(!name.products().is_empty(), "{name}");
        }
    }

    #[test]
    fn every_section_is_sorted() {
        for section in SECTIONS {
            assert!(section.is_sorted(), "sort the section that starts with {}", section[0]);
        }
    }

    #[test]
    fn every_name_has_a_line_for_each_of_its_products_and_for_no_other() {
        for name in EventName::ALL {
            for product in [Product::Jira, Product::Confluence] {
                assert_eq!(name.spec(product).is_some(), name.may_come_from(product), "{name}");
            }
        }
        assert_eq!(
            TABLE.len(),
            EventName::ALL.iter().map(|name| name.products().len()).sum::<usize>()
        );
    }

    #[test]
    fn keeps_an_unknown_name() {
        let name = EventName::from("jira:issue_teleported");
        assert_eq!(name.as_str(), "jira:issue_teleported");
        assert!(!name.is_known());
        assert!(name.may_come_from(Product::Jira) && name.may_come_from(Product::Confluence));
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<EventName>(&json).unwrap(), name);
    }
}

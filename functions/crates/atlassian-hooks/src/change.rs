//! What happened, in the words that Connect, Forge and an administrator's webhooks have in common.
//!
//! A handler that takes an [`IssueChange`] or a [`ContentChange`] reads the bodies of all three, so
//! the same function serves an app while it moves from one to another. `delivery.sender` says which
//! one it was.
//!
//! ```no_run
//! use atlassian_hooks::change::{IssueAction, IssueChange};
//! use atlassian_hooks::{Delivery, Error};
//!
//! async fn handle(delivery: Delivery<IssueChange>) -> Result<(), Error> {
//!     let change = &delivery.payload;
//!     if change.action == IssueAction::Deleted {
//!         println!("{} is gone", change.issue.key);
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     atlassian_hooks::run(handle)
//! }
//! ```
//!
//! Only what all of them send is here. The fields of an issue are not: Forge sends a dozen of them, and
//! Connect all. A handler that needs more asks the site, or takes the sender's own type.
//!
//! # Where it comes from
//!
//! | [`IssueChange`] | Connect, and webhooks of an administrator | Forge |
//! |---|---|---|
//! | `Created`, `Updated`, `Deleted` | `jira:issue_created`, `…_updated`, `…_deleted` | `avi:jira:created:issue`, `updated`, `deleted` |
//! | `Commented` | `comment_created`, `comment_updated` | `avi:jira:commented:issue`, for both |
//! | `CommentDeleted` | `comment_deleted` | `avi:jira:deleted:comment` |
//! | `issue` | `issue.id`, `issue.key` | the same |
//! | `actor` | `user.accountId`; of a comment its last editor, and of a deleted one nobody | `atlassianId` |
//! | `changes` | `changelog.items` of an update | the same |
//! | `comment` | `comment`, with wiki markup | `comment`, with a document |
//!
//! | [`ContentChange`] | Connect | Forge |
//! |---|---|---|
//! | `Created`, `Updated`, `Moved`, `Archived`, `Unarchived`, `Trashed`, `Restored` | `page_created` and so on; `blog_created` and so on | `avi:confluence:created:page` and so on; `created:blogpost` and so on |
//! | `Deleted` | `page_removed`, `blog_removed` | `avi:confluence:deleted:page`, `deleted:blogpost` |
//! | `content.id`, `content.title` | `page` or `blog` | `content` |
//! | `content.space_key` | `spaceKey` | `space.key` |
//! | `actor` | `userAccountId` | `atlassianId` |
//!
//! Jira and Confluence Data Center have no account ids, so there `actor` is `None`. If the assignee of an
//! issue changes, Forge sends `avi:jira:assigned:issue` as well as the update; that is not read here,
//! because Connect has no such event.

use atlassian_connect::event::object::object;
use atlassian_connect::event::{
    EventName, FromPayload, Id, Product, Reading, RichText, Unreadable, decode,
};
use atlassian_connect::payload::Payload;

/// A change of an issue, or of a comment on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssueChange {
    /// What happened.
    pub action: IssueAction,
    /// The issue.
    pub issue: Issue,
    /// The account id of the user who did it.
    pub actor: Option<String>,
    /// The changed fields, of an update.
    pub changes: Vec<Change>,
    /// The comment, if it was one that changed.
    pub comment: Option<Comment>,
}

/// What happened to an issue.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IssueAction {
    /// It was created.
    Created,
    /// It was updated.
    Updated,
    /// It was deleted.
    Deleted,
    /// A comment was written or edited. Forge does not tell the two apart.
    Commented,
    /// A comment was deleted.
    CommentDeleted,
}

object! {
    /// An issue.
    pub struct Issue {
        /// The identifier.
        "id" => id: Id,
        /// The key, as in `DEMO-1`.
        "key" => key: String,
    }
}

object! {
    /// A change of a field.
    pub struct Change {
        /// The name of the field.
        "field" => field: Option<String>,
        /// The identifier of the field.
        "fieldId" => field_id: Option<String>,
        /// The value before.
        "from" => from: Option<String>,
        /// The value before, as displayed.
        "fromString" => from_string: Option<String>,
        /// The value now.
        "to" => to: Option<String>,
        /// The value now, as displayed.
        "toString" => to_string: Option<String>,
    }
}

object! {
    /// A comment on an issue.
    pub struct Comment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The text: wiki markup or a document.
        "body" => body: Option<RichText>,
        /// The author.
        "author" => author: Option<User>,
        /// The last editor.
        "updateAuthor" => update_author: Option<User>,
    }
}

object! {
    /// A user.
    pub struct User {
        /// The account id. Absent in Data Center.
        "accountId" => account_id: Option<String>,
    }
}

/// A change of a page or a blog post.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ContentChange {
    /// What happened.
    pub action: ContentAction,
    /// The page or blog post.
    pub content: Content,
    /// The account id of the user who did it.
    pub actor: Option<String>,
}

/// What happened to a page or a blog post.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ContentAction {
    /// It was created.
    Created,
    /// It was updated.
    Updated,
    /// It was moved. Not of blog posts in Forge.
    Moved,
    /// It was archived. Only of pages.
    Archived,
    /// It was taken out of the archive. Only of pages.
    Unarchived,
    /// It was moved to the trash.
    Trashed,
    /// It was moved out of the trash.
    Restored,
    /// It was deleted for good.
    Deleted,
}

/// A page or a blog post.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Content {
    /// The identifier.
    pub id: Id,
    /// Which of the two it is.
    pub kind: ContentKind,
    /// The title.
    pub title: Option<String>,
    /// The key of the space.
    pub space_key: Option<String>,
}

/// The kinds of content with a common view.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ContentKind {
    /// A page.
    Page,
    /// A blog post.
    BlogPost,
}

object! {
    /// The body of an event of an issue, whoever sent it.
    struct IssueBody {
        /// The issue.
        "issue" => issue: Issue,
        /// Who did it, in Forge.
        "atlassianId" => atlassian_id: Option<String>,
        /// Who did it, otherwise.
        "user" => user: Option<User>,
        /// The changes.
        "changelog" => changelog: Option<Changelog>,
        /// The comment.
        "comment" => comment: Option<Comment>,
    }
}

object! {
    /// The changes of an update.
    struct Changelog {
        /// The changes.
        "items" => items: Vec<Change>,
    }
}

object! {
    /// The body of an event of a page in Connect.
    struct PageBody {
        /// The page.
        "page" => content: FlatContent,
        /// Who did it.
        "userAccountId" => actor: Option<String>,
    }
}

object! {
    /// The body of an event of a blog post in Connect.
    struct BlogBody {
        /// The blog post.
        "blog" => content: FlatContent,
        /// Who did it.
        "userAccountId" => actor: Option<String>,
    }
}

object! {
    /// Content in Connect.
    struct FlatContent {
        /// The identifier.
        "id" => id: Id,
        /// The title.
        "title" => title: Option<String>,
        /// The key of the space.
        "spaceKey" => space_key: Option<String>,
    }
}

object! {
    /// The body of an event of content in Forge.
    struct ContentBody {
        /// The content.
        "content" => content: NestedContent,
        /// Who did it.
        "atlassianId" => actor: Option<String>,
    }
}

object! {
    /// Content in Forge.
    struct NestedContent {
        /// The identifier.
        "id" => id: Id,
        /// The title.
        "title" => title: Option<String>,
        /// The space.
        "space" => space: Option<Space>,
    }
}

object! {
    /// A space.
    struct Space {
        /// The key.
        "key" => key: Option<String>,
    }
}

impl IssueAction {
    /// The events that are read, by their names in Connect and in Forge.
    const EVENTS: [(&'static str, Self); 11] = [
        ("jira:issue_created", Self::Created),
        ("jira:issue_updated", Self::Updated),
        ("jira:issue_deleted", Self::Deleted),
        ("comment_created", Self::Commented),
        ("comment_updated", Self::Commented),
        ("comment_deleted", Self::CommentDeleted),
        ("avi:jira:created:issue", Self::Created),
        ("avi:jira:updated:issue", Self::Updated),
        ("avi:jira:deleted:issue", Self::Deleted),
        ("avi:jira:commented:issue", Self::Commented),
        ("avi:jira:deleted:comment", Self::CommentDeleted),
    ];
}

impl FromPayload for IssueChange {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable> {
        let action = find(product, Product::Jira, event, &IssueAction::EVENTS)?;
        let body: IssueBody = decode("IssueChange", product, event, payload, reading)?;
        let IssueBody { issue, atlassian_id, user, changelog, comment } = body;
        let of_comment = matches!(action, IssueAction::Commented | IssueAction::CommentDeleted);
        // Jira also adds a comment to some updates, which Forge does not.
        let comment = comment.filter(|_| of_comment);
        let editor = comment.as_ref().filter(|_| action == IssueAction::Commented);
        let editor = editor.and_then(|comment| comment.update_author.as_ref());
        let account = |user: &User| user.account_id.clone();
        let actor = atlassian_id
            .or_else(|| user.as_ref().and_then(account))
            .or_else(|| editor.and_then(account));
        let changes = changelog.map(|changelog| changelog.items).unwrap_or_default();
        Ok(Self { action, issue, actor, changes, comment })
    }
}

impl ContentAction {
    /// The events that are read, by their names in Connect and in Forge.
    const EVENTS: [(&'static str, (ContentKind, Self)); 27] = {
        use ContentKind::{BlogPost, Page};
        [
            ("page_created", (Page, Self::Created)),
            ("page_updated", (Page, Self::Updated)),
            ("page_moved", (Page, Self::Moved)),
            ("page_archived", (Page, Self::Archived)),
            ("page_unarchived", (Page, Self::Unarchived)),
            ("page_trashed", (Page, Self::Trashed)),
            ("page_restored", (Page, Self::Restored)),
            ("page_removed", (Page, Self::Deleted)),
            ("blog_created", (BlogPost, Self::Created)),
            ("blog_updated", (BlogPost, Self::Updated)),
            ("blog_moved", (BlogPost, Self::Moved)),
            ("blog_trashed", (BlogPost, Self::Trashed)),
            ("blog_restored", (BlogPost, Self::Restored)),
            ("blog_removed", (BlogPost, Self::Deleted)),
            ("avi:confluence:created:page", (Page, Self::Created)),
            ("avi:confluence:updated:page", (Page, Self::Updated)),
            ("avi:confluence:moved:page", (Page, Self::Moved)),
            ("avi:confluence:archived:page", (Page, Self::Archived)),
            ("avi:confluence:unarchived:page", (Page, Self::Unarchived)),
            ("avi:confluence:trashed:page", (Page, Self::Trashed)),
            ("avi:confluence:restored:page", (Page, Self::Restored)),
            ("avi:confluence:deleted:page", (Page, Self::Deleted)),
            ("avi:confluence:created:blogpost", (BlogPost, Self::Created)),
            ("avi:confluence:updated:blogpost", (BlogPost, Self::Updated)),
            ("avi:confluence:trashed:blogpost", (BlogPost, Self::Trashed)),
            ("avi:confluence:restored:blogpost", (BlogPost, Self::Restored)),
            ("avi:confluence:deleted:blogpost", (BlogPost, Self::Deleted)),
        ]
    };
}

impl FromPayload for ContentChange {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable> {
        const NAME: &str = "ContentChange";
        let (kind, action) = find(product, Product::Confluence, event, &ContentAction::EVENTS)?;
        let flat = |FlatContent { id, title, space_key }| Content { id, kind, title, space_key };
        let is_forge = event.as_str().starts_with("avi:");
        let (content, actor) = match kind {
            _ if is_forge => {
                let body: ContentBody = decode(NAME, product, event, payload, reading)?;
                let NestedContent { id, title, space } = body.content;
                let space_key = space.and_then(|space| space.key);
                (Content { id, kind, title, space_key }, body.actor)
            }
            ContentKind::Page => {
                let body: PageBody = decode(NAME, product, event, payload, reading)?;
                (flat(body.content), body.actor)
            }
            ContentKind::BlogPost => {
                let body: BlogBody = decode(NAME, product, event, payload, reading)?;
                (flat(body.content), body.actor)
            }
        };
        Ok(Self { action, content, actor })
    }
}

/// Finds what an event of a product means.
fn find<T: Copy>(
    product: Product,
    of: Product,
    event: &EventName,
    events: &[(&str, T)],
) -> Result<T, Unreadable> {
    let mut known = events.iter().filter(|_| product == of);
    let found = known.find(|(name, _)| *name == event.as_str()).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
        let takes = format!("{} from {of}", names.join(", ")).into();
        Unreadable::OtherEvent { product, event: event.clone(), takes }
    })
}

#[cfg(test)]
mod tests {
    use atlassian_connect::event::Event;
    use atlassian_simulator::{forge, samples};

    use super::*;

    fn read<T: FromPayload>(product: Product, event: &str, body: &str) -> Result<T, Unreadable> {
        let payload = Payload::from_body(body.to_owned()).unwrap();
        T::from_payload(product, &event.into(), &payload, &mut Reading::Unread)
    }

    /// The sample body of an event.
    fn body(product: Product, event: &str) -> String {
        let event = EventName::from(event);
        let of_forge = || forge::samples::sample(&event).map(|sample| sample.body.to_string());
        samples::sample(product, &event).map(str::to_owned).or_else(of_forge).unwrap()
    }

    fn issue(event: &str) -> IssueChange {
        read(Product::Jira, event, &body(Product::Jira, event)).unwrap()
    }

    fn content(event: &str) -> ContentChange {
        read(Product::Confluence, event, &body(Product::Confluence, event)).unwrap()
    }

    #[test]
    fn reads_the_sample_of_every_event_that_it_lists() {
        for (event, action) in IssueAction::EVENTS {
            let change = issue(event);
            assert_eq!(change.action, action, "{event}");
            assert!(!change.issue.key.is_empty(), "{event}");
            let of_comment = matches!(action, IssueAction::Commented | IssueAction::CommentDeleted);
            assert_eq!(change.comment.is_some(), of_comment, "{event}");
            let is_unknown = event == "comment_deleted";
            assert_eq!(change.actor.is_none(), is_unknown, "{event}");
        }
        for (event, (kind, action)) in ContentAction::EVENTS {
            let change = content(event);
            assert_eq!((change.content.kind, change.action), (kind, action), "{event}");
            let Content { title, space_key, .. } = change.content;
            assert!(title.is_some() && space_key.is_some() && change.actor.is_some(), "{event}");
        }
    }

    #[test]
    fn reads_the_same_from_either_sender() {
        let text = |change: IssueChange| change.comment.unwrap().body.unwrap();
        for event in ["comment_created", "avi:jira:commented:issue"] {
            assert!(!text(issue(event)).plain_text().is_empty(), "{event}");
        }
        for event in ["jira:issue_updated", "avi:jira:updated:issue"] {
            let change = issue(event);
            assert!(change.changes[0].field_id.is_some(), "{event}");
            assert!(change.changes[0].to_string.is_some(), "{event}");
        }
        // Data Center names users otherwise, and the issue in the same way.
        let server = r#"{"webhookEvent":"jira:issue_created","user":{"name":"mia","key":"mia"},
                         "issue":{"id":"10042","key":"DEMO-42","fields":{"summary":7}}}"#;
        let change = read::<IssueChange>(Product::Jira, "jira:issue_created", server).unwrap();
        assert_eq!((change.issue.key.as_str(), change.actor), ("DEMO-42", None));
    }

    #[test]
    fn takes_no_event_that_only_one_of_them_sends() {
        let issue = r#"{"issue":{"id":"1","key":"A-1"}}"#;
        for event in ["avi:jira:assigned:issue", "avi:jira:viewed:issue", "worklog_created"] {
            let error = read::<IssueChange>(Product::Jira, event, issue).unwrap_err().to_string();
            assert!(error.contains("avi:jira:deleted:comment from jira"), "{error}");
        }
        // Confluence's comments have the same name.
        assert!(read::<IssueChange>(Product::Confluence, "comment_created", issue).is_err());
        assert!(read::<ContentChange>(Product::Jira, "page_created", "{}").is_err());
        let lacks = read::<ContentChange>(Product::Confluence, "page_created", r#"{"page":{}}"#);
        let error = lacks.unwrap_err().to_string();
        assert!(error.contains("not a valid ContentChange: missing field `id`"), "{error}");
    }

    /// A name that is misspelt here would never be read.
    #[test]
    fn lists_only_events_that_their_senders_list() {
        let of_content = ContentAction::EVENTS.map(|(event, _)| (event, Product::Confluence));
        let of_issues = IssueAction::EVENTS.map(|(event, _)| (event, Product::Jira));
        for (event, product) in of_content.into_iter().chain(of_issues) {
            let is_known = match event.starts_with("avi:") {
                true => atlassian_forge::event::EventSpec::find(event).is_some(),
                false => read::<Event>(product, event, &body(product, event)).is_ok(),
            };
            assert!(is_known, "{event}");
        }
    }
}

//! Pages, blog posts, comments, and what hangs on them.

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::vocabulary::vocabulary;

object! {
    /// A page, a blog post or a comment.
    ///
    /// Observed, and Connect 1.0.1, `ConfluenceEventMapper`. Where one is named within another, all but
    /// the identifier may be missing.
    pub struct Content {
        /// The identifier: a number until 2024, a string since.
        "id" => id: Option<Id>,
        /// The identifier as a string. Since 2021.
        "idAsString" => id_as_string: Option<String>,
        /// What it is. Since 2019.
        "contentType" => content_type: Option<ContentKind>,
        /// What it is called; a comment is not.
        "title" => title: Option<String>,
        /// The key of the space, as in `/wiki/spaces/DOC`.
        "spaceKey" => space_key: Option<String>,
        /// The identifier of the space. Since 2021.
        "spaceId" => space_id: Option<Id>,
        /// Which edition it is, from 1.
        "version" => version: Option<i64>,
        /// When it was created; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// When it was last changed; on the wire in milliseconds since 1970, or empty.
        "modificationDate" => modification_date: Option<Moment>,
        /// The account of whoever created it. Since 2019.
        "creatorAccountId" => creator_account_id: Option<String>,
        /// The account of whoever last changed it. Since 2019.
        "lastModifierAccountId" => last_modifier_account_id: Option<String>,
        /// The username of whoever created it. Until 2019.
        "creatorName" => creator_name: Option<String>,
        /// The key of whoever created it. Until 2019.
        "creatorKey" => creator_key: Option<String>,
        /// The username of whoever last changed it. Until 2019.
        "lastModifierName" => last_modifier_name: Option<String>,
        /// The key of whoever last changed it. Until 2019.
        "lastModifierKey" => last_modifier_key: Option<String>,
        /// What a comment is about: a page, a blog post, or another comment.
        "parent" => parent: Option<Box<Self>>,
        /// The comment that a comment answers.
        "inReplyTo" => in_reply_to: Option<ContentReference>,
        /// The address for people.
        "self" => self_url: Option<String>,
    }
}

vocabulary! {
    /// What a piece of content is.
    pub enum ContentKind {
        "attachment" => Attachment,
        "blogpost" => BlogPost,
        "comment" => Comment,
        "page" => Page,
    }
}

object! {
    /// The identifier of a piece of content, and nothing else.
    pub struct ContentReference {
        /// The identifier.
        "id" => id: Option<Id>,
    }
}

object! {
    /// A file on a piece of content.
    ///
    /// Connect 1.0.1, `AttachmentEventMapper`.
    pub struct Attachment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "fileName" => file_name: Option<String>,
        /// How large it is, in bytes.
        "fileSize" => file_size: Option<i64>,
        /// What was said about it.
        "comment" => comment: Option<String>,
        /// Which edition it is, from 1.
        "version" => version: Option<i64>,
        /// When it was attached; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// When it was last changed; on the wire in milliseconds since 1970, or empty.
        "modificationDate" => modification_date: Option<Moment>,
        /// The account of whoever attached it. Since 2019.
        "creatorAccountId" => creator_account_id: Option<String>,
        /// The account of whoever last changed it. Since 2019.
        "lastModifierAccountId" => last_modifier_account_id: Option<String>,
        /// The username of whoever attached it. Until 2019.
        "creatorName" => creator_name: Option<String>,
        /// The key of whoever attached it. Until 2019.
        "creatorKey" => creator_key: Option<String>,
        /// The username of whoever last changed it. Until 2019.
        "lastModifierName" => last_modifier_name: Option<String>,
        /// The key of whoever last changed it. Until 2019.
        "lastModifierKey" => last_modifier_key: Option<String>,
        /// The address for people.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A label.
    ///
    /// Connect 1.0.1, `LabelEventMapper`.
    pub struct Label {
        /// What it says.
        "name" => name: Option<String>,
        /// What it says, for people.
        "title" => title: Option<String>,
        /// The username of whoever it belongs to. Until 2019.
        "owner" => owner: Option<String>,
        /// The key of whoever it belongs to. Until 2019.
        "ownerKey" => owner_key: Option<String>,
        /// The account of whoever it belongs to. Since 2019, inferred.
        "ownerAccountId" => owner_account_id: Option<String>,
        /// The address for people.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// What a label is stuck on: a piece of content or a file.
    ///
    /// Connect 1.0.1, `LabelEventMapper`.
    pub struct Labeled {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is. Since 2019.
        "contentType" => content_type: Option<ContentKind>,
        /// What it is called, if it is content.
        "title" => title: Option<String>,
        /// What it is called, if it is a file.
        "fileName" => file_name: Option<String>,
        /// The key of the space.
        "spaceKey" => space_key: Option<String>,
        /// Which edition it is, from 1.
        "version" => version: Option<i64>,
        /// Every label on it.
        "labels" => labels: Vec<LabelName>,
        /// The address for people.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// What a label says, and nothing else.
    pub struct LabelName {
        /// What it says.
        "name" => name: Option<String>,
    }
}

object! {
    /// A blueprint: what new pages are made from.
    ///
    /// Connect, `BlueprintEventMapper`.
    pub struct Blueprint {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key of the index of its pages.
        "indexKey" => index_key: Option<String>,
        /// The key of the space, if it is for one alone.
        "spaceKey" => space_key: Option<String>,
        /// The key of its name in the translations.
        "i18nNameKey" => i18n_name_key: Option<String>,
        /// The key of the title of its index in the translations.
        "indexTitleI18nKey" => index_title_i18n_key: Option<String>,
        /// The module that defines it.
        "moduleCompleteKey" => module_complete_key: Option<String>,
        /// Where whoever creates a page is sent, as in `view`.
        "createResult" => create_result: Option<String>,
        /// The template that explains it.
        "howToUseTemplate" => how_to_use_template: Option<String>,
    }
}

object! {
    /// What somebody says they are doing.
    ///
    /// Connect 1.0.1, `StatusEventMapper`. Confluence has no such thing any more.
    pub struct PersonalStatus {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What they said.
        "content" => content: Option<String>,
        /// Whether they still say it.
        "isCurrent" => is_current: Option<bool>,
        /// When they said it; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// The username.
        "creatorName" => creator_name: Option<String>,
        /// The key of the user.
        "creatorKey" => creator_key: Option<String>,
        /// The address for people.
        "self" => self_url: Option<String>,
    }
}

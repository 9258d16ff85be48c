//! Pages, blog posts, comments, attachments and labels.

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::string_enum::string_enum;

object! {
    /// A page, a blog post or a comment.
    ///
    /// Observed, and Connect 1.0.1, `ConfluenceEventMapper`. Where one is named within another, all
    /// but the identifier may be missing.
    pub struct Content {
        /// The identifier: a number until 2024, a string since.
        "id" => id: Option<Id>,
        /// The identifier as a string. Since 2021.
        "idAsString" => id_as_string: Option<String>,
        /// The type. Since 2019.
        "contentType" => content_type: Option<ContentKind>,
        /// The title. A comment has none.
        "title" => title: Option<String>,
        /// The key of the space, as in `/wiki/spaces/DOC`.
        "spaceKey" => space_key: Option<String>,
        /// The identifier of the space. Since 2021.
        "spaceId" => space_id: Option<Id>,
        /// The version number, from 1.
        "version" => version: Option<i64>,
        /// When it was created; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// When it was last changed; on the wire in milliseconds since 1970, or empty.
        "modificationDate" => modification_date: Option<Moment>,
        /// The account id of the creator. Since 2019.
        "creatorAccountId" => creator_account_id: Option<String>,
        /// The account id of the last editor. Since 2019.
        "lastModifierAccountId" => last_modifier_account_id: Option<String>,
        /// The username of the creator. Until 2019.
        "creatorName" => creator_name: Option<String>,
        /// The key of the creator. Until 2019.
        "creatorKey" => creator_key: Option<String>,
        /// The username of the last editor. Until 2019.
        "lastModifierName" => last_modifier_name: Option<String>,
        /// The key of the last editor. Until 2019.
        "lastModifierKey" => last_modifier_key: Option<String>,
        /// The page, blog post or comment that a comment belongs to.
        "parent" => parent: Option<Box<Self>>,
        /// The comment that a comment replies to.
        "inReplyTo" => in_reply_to: Option<ContentReference>,
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

string_enum! {
    /// The type of a piece of content.
    pub enum ContentKind {
        "attachment" => Attachment,
        "blogpost" => BlogPost,
        "comment" => Comment,
        "page" => Page,
    }
}

object! {
    /// The identifier of a piece of content.
    pub struct ContentReference {
        /// The identifier.
        "id" => id: Option<Id>,
    }
}

object! {
    /// An attachment of a piece of content.
    ///
    /// Connect 1.0.1, `AttachmentEventMapper`.
    pub struct Attachment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The file name.
        "fileName" => file_name: Option<String>,
        /// The size, in bytes.
        "fileSize" => file_size: Option<i64>,
        /// The comment.
        "comment" => comment: Option<String>,
        /// The version number, from 1.
        "version" => version: Option<i64>,
        /// When it was attached; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// When it was last changed; on the wire in milliseconds since 1970, or empty.
        "modificationDate" => modification_date: Option<Moment>,
        /// The account id of the user who attached it. Since 2019.
        "creatorAccountId" => creator_account_id: Option<String>,
        /// The account id of the last editor. Since 2019.
        "lastModifierAccountId" => last_modifier_account_id: Option<String>,
        /// The username of the user who attached it. Until 2019.
        "creatorName" => creator_name: Option<String>,
        /// The key of the user who attached it. Until 2019.
        "creatorKey" => creator_key: Option<String>,
        /// The username of the last editor. Until 2019.
        "lastModifierName" => last_modifier_name: Option<String>,
        /// The key of the last editor. Until 2019.
        "lastModifierKey" => last_modifier_key: Option<String>,
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A label.
    ///
    /// Connect 1.0.1, `LabelEventMapper`.
    pub struct Label {
        /// The name.
        "name" => name: Option<String>,
        /// The text, as displayed.
        "title" => title: Option<String>,
        /// The username of the owner. Until 2019.
        "owner" => owner: Option<String>,
        /// The key of the owner. Until 2019.
        "ownerKey" => owner_key: Option<String>,
        /// The account id of the owner. Since 2019, inferred.
        "ownerAccountId" => owner_account_id: Option<String>,
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The content or attachment that has a label.
    ///
    /// Connect 1.0.1, `LabelEventMapper`.
    pub struct Labeled {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The type. Since 2019.
        "contentType" => content_type: Option<ContentKind>,
        /// The title, if it is content.
        "title" => title: Option<String>,
        /// The file name, if it is an attachment.
        "fileName" => file_name: Option<String>,
        /// The key of the space.
        "spaceKey" => space_key: Option<String>,
        /// The version number, from 1.
        "version" => version: Option<i64>,
        /// All its labels.
        "labels" => labels: Vec<LabelName>,
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The text of a label.
    pub struct LabelName {
        /// The name.
        "name" => name: Option<String>,
    }
}

object! {
    /// A blueprint, from which pages are created.
    ///
    /// Connect, `BlueprintEventMapper`.
    pub struct Blueprint {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key of the index of its pages.
        "indexKey" => index_key: Option<String>,
        /// The key of the space, if it is for one space only.
        "spaceKey" => space_key: Option<String>,
        /// The key of its name in the translations.
        "i18nNameKey" => i18n_name_key: Option<String>,
        /// The key of the title of its index in the translations.
        "indexTitleI18nKey" => index_title_i18n_key: Option<String>,
        /// The module that defines it.
        "moduleCompleteKey" => module_complete_key: Option<String>,
        /// The page that is shown after creation, as in `view`.
        "createResult" => create_result: Option<String>,
        /// The template with its instructions.
        "howToUseTemplate" => how_to_use_template: Option<String>,
    }
}

object! {
    /// A status update of a user.
    ///
    /// Connect 1.0.1, `StatusEventMapper`. Confluence no longer has this feature.
    pub struct PersonalStatus {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The text.
        "content" => content: Option<String>,
        /// Whether it is current.
        "isCurrent" => is_current: Option<bool>,
        /// When it was created; on the wire in milliseconds since 1970, or empty.
        "creationDate" => creation_date: Option<Moment>,
        /// The username.
        "creatorName" => creator_name: Option<String>,
        /// The key of the user.
        "creatorKey" => creator_key: Option<String>,
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

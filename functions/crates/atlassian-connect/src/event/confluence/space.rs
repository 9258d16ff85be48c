//! Spaces and users.

use super::content::ContentReference;
use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;

object! {
    /// A space.
    ///
    /// Connect 1.0.1, `SpaceEventMapper`.
    pub struct Space {
        /// The identifier. Inferred.
        "id" => id: Option<Id>,
        /// The key, as in `/wiki/spaces/DOC`.
        "key" => key: Option<String>,
        /// The title.
        "title" => title: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// Whether it is a personal space.
        "isPersonalSpace" => is_personal_space: Option<bool>,
        /// The home page.
        "homePage" => home_page: Option<ContentReference>,
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
        /// The web URL.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A user.
    ///
    /// Connect, `UserEventMapper`; the account inferred.
    pub struct UserProfile {
        /// The account id. Since 2019.
        "accountId" => account_id: Option<String>,
        /// The key. Until 2019.
        "userKey" => user_key: Option<String>,
        /// The username. Until 2019.
        "username" => username: Option<String>,
        /// The display name of the user.
        "fullName" => full_name: Option<String>,
        /// The email address of the user.
        "email" => email: Option<String>,
    }
}

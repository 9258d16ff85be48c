//! The declaration of one URL.

use std::str::FromStr;

use atlassian_connect::event::EventName;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Kind, TenantName};

/// What one URL takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The path of the URL.
    pub path: Path,
    /// Who sends to it.
    pub sender: Kind,
    /// The events that are queued.
    pub events: Events,
}

impl FromStr for Declared {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

/// A path with the name of the tenant as one of its segments, as in `/hooks/{tenant}/jira`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path(String);

impl Path {
    /// The segment in the place of the tenant, as API Gateway writes it in a route.
    pub const TENANT: &str = "{tenant}";

    /// The path as it is declared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a tenant.
    pub fn of(&self, tenant: &TenantName) -> String {
        self.0.replace(Self::TENANT, tenant.as_str())
    }

    /// What a path has in the place of the tenant; `None` if it is another path.
    pub fn tenant<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (before, after) = self.0.split_once(Self::TENANT)?;
        let tenant = path.strip_prefix(before)?.strip_suffix(after)?;
        (!tenant.contains('/')).then_some(tenant)
    }
}

impl FromStr for Path {
    type Err = InvalidPath;

    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let is_segment =
            |segment: &str| !segment.is_empty() && segment.bytes().all(plain) && segment != "..";
        let segments = path.strip_prefix('/').ok_or(InvalidPath)?.split('/');
        let (tenant, others): (Vec<_>, Vec<_>) =
            segments.partition(|segment| *segment == Self::TENANT);
        let is_path = tenant.len() == 1 && others.into_iter().all(is_segment);
        if is_path { Ok(Self(path.to_owned())) } else { Err(InvalidPath) }
    }
}

impl TryFrom<String> for Path {
    type Error = InvalidPath;

    fn try_from(path: String) -> Result<Self, InvalidPath> {
        path.parse()
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0
    }
}

/// A text that is not the path of a URL of signed webhooks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the path does not begin with a slash and have `{{tenant}}` as one of its segments, and only letters, \
     digits, `-`, `_`, `.` and `~` in the others; write it as in /hooks/{{tenant}}/jira"
)]
pub struct InvalidPath;

/// The events of a URL.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Events {
    /// Whatever the product sends.
    #[serde(serialize_with = "all")]
    All,
    /// These.
    Only(Vec<EventName>),
}

impl Events {
    /// The word for all events in a declaration.
    pub const ALL: &str = "all";
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a list of events, or the word `all`")]
        enum Written {
            Word(All),
            List(Vec<EventName>),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum All {
            All,
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Word(All::All) => Self::All,
            Written::List(events) => Self::Only(events),
        })
    }
}

fn all<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Events::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_tenant_in_a_path() {
        let path: Path = "/hooks/{tenant}/jira".parse().unwrap();
        assert_eq!(path.of(&"acme".parse().unwrap()), "/hooks/acme/jira");
        assert_eq!(path.tenant("/hooks/acme/jira"), Some("acme"));
        assert_eq!(path.tenant("/hooks/a b/jira"), Some("a b"));
        assert_eq!(path.tenant("/hooks//jira"), Some(""));
        for other in
            ["/hooks/jira", "/hooks/a/b/jira", "/hooks/acme/jira/", "/acme/jira", "/hooks/acme", ""]
        {
            assert_eq!(path.tenant(other), None, "{other}");
        }
        let first: Path = "/{tenant}".parse().unwrap();
        assert_eq!(first.tenant("/acme"), Some("acme"));
    }

    #[test]
    fn takes_one_tenant_as_a_whole_segment() {
        for path in [
            "",
            "/",
            "/hooks",
            "hooks/{tenant}",
            "/{tenant}/{tenant}",
            "/a{tenant}",
            "/{tenant}/",
            "//{tenant}",
            "/{tenant}/{proxy+}",
            "/{site}",
            "/a b/{tenant}",
            "/{tenant}?a",
            "/../{tenant}",
        ] {
            assert_eq!(path.parse::<Path>(), Err(InvalidPath), "{path:?}");
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for json in [
            r#"{"path":"/hooks/{tenant}/jira","sender":"jira","events":["jira:issue_created","new"]}"#,
            r#"{"path":"/{tenant}","sender":"bitbucket-data-center","events":"all"}"#,
        ] {
            let declared: Declared = json.parse().unwrap();
            assert_eq!(serde_json::to_string(&declared).unwrap(), json);
        }
        for (json, problem) in [
            (r#"{"path":"/{tenant}","sender":"jira","events":"every"}"#, "the word `all`"),
            (r#"{"path":"/{tenant}","sender":"svn","events":"all"}"#, "unknown variant `svn`"),
            (
                r#"{"path":"/hooks","sender":"jira","events":"all"}"#,
                "write it as in /hooks/{tenant}",
            ),
        ] {
            let error = json.parse::<Declared>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}

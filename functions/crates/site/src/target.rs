//! Where a request goes: a path on the site of a tenant, and nothing else.

use atlassian_connect::qsh;
use atlassian_connect::tenant::ClientKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::Error;

/// Encodes a text for one segment of a path, so that what a payload contains cannot name another
/// path: `/rest/api/3/issue/{}/comment`.
pub fn segment(text: &str) -> String {
    encoded(text)
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Everything but RFC 3986's unreserved characters is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A checked path below a checked base URL.
#[derive(Debug)]
pub(crate) struct Target {
    url: String,
    /// The length of `https://host`.
    origin: usize,
    /// The path of the base URL, as `/wiki`.
    base_path: String,
}

impl Target {
    pub(crate) fn new(base_url: &str, path: &str, tenant: &ClientKey) -> Result<Self, Error> {
        if let Err(reason) = check(path) {
            return Err(Error::path(path, reason));
        }
        let bad_base = || Error::BaseUrl { tenant: tenant.clone() };
        let base_url = base_url.trim_end_matches('/');
        let base = Url::parse(base_url).map_err(|_| bad_base())?;
        let host = base.host_str().unwrap_or_default();
        let base_path = base.path().trim_end_matches('/').to_owned();
        // A user, a port or a query would make it longer.
        let origin = format!("https://{host}");
        if host.is_empty() || !base_url.eq_ignore_ascii_case(&format!("{origin}{base_path}")) {
            return Err(bad_base());
        }
        let below = path.strip_prefix(&*base_path).filter(|below| below.starts_with('/'));
        let url = format!("{origin}{base_path}{}", below.unwrap_or(path));
        // What other parsers read from it is what was signed.
        let is_same = Url::parse(&url).is_ok_and(|parsed| {
            let path = url[origin.len()..].split('?').next();
            parsed.host_str() == Some(host) && Some(parsed.path()) == path
        });
        if !is_same {
            return Err(Error::path(path, "it changes when it is parsed"));
        }
        Ok(Self { url, origin: origin.len(), base_path })
    }

    /// Scheme and host.
    pub(crate) fn origin(&self) -> &str {
        &self.url[..self.origin]
    }

    pub(crate) fn path_and_query(&self) -> &str {
        &self.url[self.origin..]
    }

    /// The query string hash. The path of the base URL is not a part of it.
    pub(crate) fn hash(&self, method: &str) -> Result<String, Error> {
        let request = qsh::Request::of_url(method, self.path_and_query(), &self.base_path);
        request.hash().map_err(|_| Error::path(self.path_and_query(), NOT_ENCODED))
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("it does not begin with one slash");
    }
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err(NOT_ENCODED);
    }
    let path = path.split('?').next().unwrap_or_default();
    for segment in path.split('/') {
        let segment = percent_decode_str(segment).decode_utf8().map_err(|_| NOT_ENCODED)?;
        // Some servers decode first, and then split.
        if segment.split(['/', '\\']).any(|part| part == "." || part == "..") {
            return Err("it has a segment of dots");
        }
    }
    if path.contains("//") {
        return Err("it has an empty segment");
    }
    Ok(())
}

const NOT_ENCODED: &str = "it is not percent-encoded";

#[cfg(test)]
mod tests {
    use super::*;

    const JIRA: &str = "https://demo.atlassian.net";
    const CONFLUENCE: &str = "https://demo.atlassian.net/wiki";

    fn target(base_url: &str, path: &str) -> Result<Target, Error> {
        Target::new(base_url, path, &ClientKey::new("tenant").unwrap())
    }

    /// Base URL, path; URL, path in the hash, query in the hash.
    #[test]
    fn hashes_what_it_requests_without_the_path_of_the_base_url() {
        let rows = [
            (JIRA, "/rest/api/3/myself", "/rest/api/3/myself", "/rest/api/3/myself", ""),
            (CONFLUENCE, "/api/v2/pages/1", "/wiki/api/v2/pages/1", "/api/v2/pages/1", ""),
            (CONFLUENCE, "/wiki/api/v2/pages/1", "/wiki/api/v2/pages/1", "/api/v2/pages/1", ""),
            (CONFLUENCE, "/wikis", "/wiki/wikis", "/wikis", ""),
            (JIRA, "/wiki/x", "/wiki/x", "/wiki/x", ""),
            ("https://demo.atlassian.net/", "/a", "/a", "/a", ""),
            (JIRA, "/s?b=2&a=x%20y,z&b=1", "/s?b=2&a=x%20y,z&b=1", "/s", "a=x%20y%2Cz&b=1,2"),
            (JIRA, "/p/a%2Fb%20c", "/p/a%2Fb%20c", "/p/a%2Fb%20c", ""),
            (JIRA, "/p/", "/p/", "/p", ""),
            (JIRA, "/p/a&b", "/p/a&b", "/p/a%26b", ""),
        ];
        for (base_url, path, requested, hashed, query) in rows {
            let target = target(base_url, path).unwrap();
            assert_eq!(target.origin(), "https://demo.atlassian.net");
            assert_eq!(target.path_and_query(), requested, "{base_url} {path}");
            let canonical = format!("GET&{}&{query}", hashed.replace("a&b", "a%26b"));
            let hash = qsh::Request::of_url("GET", requested, &target.base_path);
            assert_eq!(hash.canonical().unwrap(), canonical, "{base_url} {path}");
            assert_eq!(target.hash("GET").unwrap(), hash.hash().unwrap());
        }
    }

    #[test]
    fn refuses_every_way_to_another_host_or_path() {
        for path in [
            "",
            "rest/api/3/myself",
            "https://evil.example/rest",
            "//evil.example/rest",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "@evil.example/",
            ".evil.example/",
            ":443@evil.example/",
            "/rest/../../admin",
            "/rest/..",
            "/rest/.",
            "/rest/%2e%2E/admin",
            "/rest/.%2e/admin",
            "/rest/a%2f..%2fadmin",
            "/rest/a%5c..%5cadmin",
            "/rest//api",
            "/rest#/fragment",
            "/rest/a b",
            "/rest/\r\nHost: evil.example",
            "/rest/\tx",
            "/rest/é",
            "/rest/%ff",
            "/rest?a=%zz",
            "/rest?a=%ff",
        ] {
            let target = target(JIRA, path).and_then(|target| target.hash("GET").map(drop));
            assert!(matches!(target, Err(Error::Path { .. })), "{path:?}: {target:?}");
        }
    }

    #[test]
    fn refuses_a_base_url_that_is_not_plain() {
        for base_url in [
            "",
            "demo.atlassian.net",
            "http://demo.atlassian.net",
            "https://user@demo.atlassian.net",
            "https://demo.atlassian.net:8443",
            "https://demo.atlassian.net@evil.example",
            "https://demo.atlassian.net\\@evil.example",
            "https://demo.atlassian.net?x=",
            "https://demo.atlassian.net/#",
            "https://demo.atlassian.net/a/../b",
        ] {
            let target = target(base_url, "/rest");
            assert!(matches!(target, Err(Error::BaseUrl { .. })), "{base_url:?}: {target:?}");
        }
    }

    #[test]
    fn encodes_what_a_payload_contains() {
        let path = format!("/rest/api/3/issue/{}", segment("A-1/../../x?y=\u{e9}"));
        assert_eq!(path, "/rest/api/3/issue/A-1%2F..%2F..%2Fx%3Fy%3D%C3%A9");
        assert!(target(JIRA, &path).is_err());
        assert!(target(JIRA, &format!("/issue/{}", segment("A 1?"))).is_ok());
    }
}

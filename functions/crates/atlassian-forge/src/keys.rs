//! Atlassian's key set, and when to fetch it.
//!
//! Atlassian's documentation, "Forge Remote essentials", section "Verifying remote requests": the
//! keys are a JSON Web Key Set (RFC 7517) at one URL. A set that was fetched on 25 August 2026 had
//! six RSA keys, and keys were replaced twice in one week of May 2026. How long old and new keys
//! overlap is not documented.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The URL of the key set of Forge's production environment. It is configured, and never chosen by
/// a token.
pub const KEY_SET_URL: &str = "https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json";

/// The name of a key: the `kid` of a token and of a JSON Web Key.
///
/// Atlassian's look like a path, as in
/// `forge/invocation-token/wf-0e50fccb-239d-4991-a5db-dc850ba3f236` (observed, not documented). It is
/// compared with the names in the key set, and never becomes a part of a URL.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeyId(String);

impl KeyId {
    /// The maximum length of a name, in bytes.
    pub const MAX_LEN: usize = 200;

    /// Accepts names of letters, digits, `-`, `_` and `.`, separated by single slashes. A part does
    /// not start with a dot.
    pub fn new(kid: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        let is_name = kid.len() <= Self::MAX_LEN && kid.split('/').all(is_part);
        is_name.then(|| Self(kid.into()))
    }

    /// The name as Atlassian writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key of Atlassian's. It verifies RS256, and nothing else.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    decoding: DecodingKey,
}

impl Key {
    /// The name of the key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id).finish()
    }
}

/// The usable keys of a key set.
#[derive(Clone, Debug)]
pub struct KeySet(HashMap<KeyId, Arc<Key>>);

impl KeySet {
    /// The maximum length of a document, in bytes. Six keys have 3 KB.
    pub const MAX_LEN: usize = 64 * 1024;
    /// The maximum number of keys, usable or not.
    pub const MAX_KEYS: usize = 100;
    /// The lengths of a usable modulus, in bits.
    pub const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

    /// Parses a JSON Web Key Set.
    ///
    /// Usable are RSA keys for signatures with RS256. Every other key is ignored: one of another
    /// type, such as `oct`, one for encryption, one that is too short, and one that is malformed.
    /// Two different RSA keys with the same name are both ignored.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidKeySet`] if the document is too long or no key set, has too many keys, or no
    /// usable one.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidKeySet> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        if json.len() > Self::MAX_LEN {
            return Err(InvalidKeySet::TooLong { bytes: json.len() });
        }
        let document: Document<'_> =
            serde_json::from_slice(json).map_err(|_| InvalidKeySet::NotAKeySet)?;
        if document.keys.len() > Self::MAX_KEYS {
            return Err(InvalidKeySet::TooMany { keys: document.keys.len() });
        }
        let mut found: HashMap<KeyId, Option<Jwk>> = HashMap::new();
        for (id, jwk) in document.keys.into_iter().filter_map(|key| Jwk::usable(key.get())) {
            match found.entry(id) {
                Entry::Vacant(entry) => drop(entry.insert(Some(jwk))),
                Entry::Occupied(entry) if entry.get().as_ref() == Some(&jwk) => {}
                Entry::Occupied(mut entry) => drop(entry.insert(None)),
            }
        }
        let keys = found.into_iter().filter_map(|(id, jwk)| {
            let Jwk { n, e, .. } = jwk?;
            let decoding = DecodingKey::from_rsa_components(&n?, &e?).ok()?;
            Some((id.clone(), Arc::new(Key { id, decoding })))
        });
        let keys: HashMap<_, _> = keys.collect();
        if keys.is_empty() { Err(InvalidKeySet::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// Finds a key by its name.
    pub fn find(&self, id: &KeyId) -> Option<&Arc<Key>> {
        self.0.get(id)
    }

    /// The number of usable keys, which is never 0.
    #[expect(clippy::len_without_is_empty, reason = "a set without keys cannot be parsed")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Why a document is not a key set that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidKeySet {
    /// The document is too long.
    #[error(
        "the key set has {bytes} bytes, more than the limit of {}; check its URL",
        KeySet::MAX_LEN
    )]
    TooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// The document has too many keys.
    #[error(
        "the key set has {keys} keys, more than the limit of {}; check its URL",
        KeySet::MAX_KEYS
    )]
    TooMany {
        /// Their number.
        keys: usize,
    },
    /// The document is not a JSON Web Key Set.
    #[error("the document is not a JSON Web Key Set; check its URL and what answers there")]
    NotAKeySet,
    /// No key can be used.
    #[error("the key set has no RSA key for RS256; check its URL")]
    NoUsableKey,
}

/// A JSON Web Key (RFC 7517 and, for RSA, RFC 7518, section 6.3).
#[derive(Deserialize, PartialEq)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

impl Jwk {
    fn usable(json: &str) -> Option<(KeyId, Self)> {
        let jwk: Self = serde_json::from_str(json).ok()?;
        let id = KeyId::new(&jwk.kid)?;
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        let is_usable = jwk.kty == "RSA"
            && jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && jwk.key_ops.as_ref().is_none_or(verifies)
            && jwk.n.as_deref().and_then(bits).is_some_and(|n| KeySet::MODULUS_BITS.contains(&n))
            && jwk.e.as_deref().is_some_and(is_exponent);
        is_usable.then_some((id, jwk))
    }
}

/// The length of a number in base64url, in bits.
fn bits(number: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(number).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some((bytes.len() - first) * 8 - bytes[first].leading_zeros() as usize)
}

/// Whether a public exponent is odd, at least 3, and short enough to verify quickly.
fn is_exponent(e: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(e) else { return false };
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    is_odd && bits(e).is_some_and(|bits| (2..=33).contains(&bits))
}

/// Fetches the key set. This is where the I/O is.
pub trait FetchKeys {
    /// What can go wrong.
    type Error;

    /// Gets the document and parses it.
    fn fetch(&self) -> impl Future<Output = Result<KeySet, Self::Error>> + Send;
}

/// The key set in a receiver's memory, and when to fetch it again. It does no I/O: it says what to
/// do, and is told what came of it.
///
/// A stranger can invent names of keys, so an unknown name causes a fetch at most once in
/// [`CachedKeys::REFETCH_INTERVAL`]. Atlassian repeats a delivery that was refused after as long, so
/// one that was signed with a new key is accepted at its next attempt.
///
/// A key set that cannot be fetched does not replace the one that is known. Without any, no token
/// can be called untrusted, and the answer is [`Answer::Unavailable`].
#[derive(Debug, Default)]
pub struct CachedKeys {
    keys: Option<(KeySet, Timestamp)>,
    attempt: Option<Attempt>,
}

/// The last attempt to fetch the key set.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Timestamp,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Pending,
    Fetched,
    Failed,
}

/// What to do with a token that names a key.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Verify it with this key.
    Key(Arc<Key>),
    /// Fetch the key set, tell [`CachedKeys::fetched`] or [`CachedKeys::failed`], and ask again.
    /// Only one caller gets this answer at a time.
    Fetch,
    /// Wait for the caller who fetches, and ask again.
    Wait,
    /// Refuse it: the key set is current, and has no such key.
    Unknown,
    /// Answer that it may be sent again: the key set could not be fetched, so it may have the key.
    Unavailable,
}

impl CachedKeys {
    /// The minimum interval between two fetches, while a key set is known.
    pub const REFETCH_INTERVAL: Duration = Duration::from_secs(60);
    /// The interval after which a fetch that failed is repeated, while no key set is known.
    pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);
    /// How long a key set is used without being fetched again. It bounds how long a key is trusted
    /// that Atlassian has withdrawn.
    pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
    /// How long a fetch is waited for. After that another caller may fetch, because an invocation
    /// can end without telling.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// What to do with a token that names this key.
    pub fn find(&mut self, id: &KeyId, now: Timestamp) -> Answer {
        let known = self.keys.as_ref().and_then(|(keys, _)| keys.find(id)).map(Arc::clone);
        let is_current = self.keys.as_ref().is_some_and(|(_, at)| now < *at + Self::LIFETIME);
        let pending = self.pending(now);
        match known {
            // An old key set verifies while it is fetched anew, and if that fails.
            Some(key) if is_current || pending || !self.may_fetch(now) => Answer::Key(key),
            None if pending => Answer::Wait,
            _ if self.may_fetch(now) => {
                self.attempt = Some(Attempt { at: now, outcome: Outcome::Pending });
                Answer::Fetch
            }
            _ => match self.attempt {
                Some(Attempt { outcome: Outcome::Fetched, .. }) => Answer::Unknown,
                _ => Answer::Unavailable,
            },
        }
    }

    /// Takes a key set that was fetched.
    pub fn fetched(&mut self, keys: KeySet, now: Timestamp) {
        self.keys = Some((keys, now));
        self.end(Outcome::Fetched);
    }

    /// Takes note that the key set could not be fetched. The one that is known stays.
    pub fn failed(&mut self) {
        self.end(Outcome::Failed);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(attempt) = &mut self.attempt {
            attempt.outcome = outcome;
        }
    }

    fn pending(&self, now: Timestamp) -> bool {
        self.attempt.is_some_and(|attempt| {
            attempt.outcome == Outcome::Pending && now < attempt.at + Self::PATIENCE
        })
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        self.attempt.is_none_or(|attempt| {
            let wait = match attempt.outcome {
                Outcome::Pending => Self::PATIENCE,
                Outcome::Failed if self.keys.is_none() => Self::RETRY_INTERVAL,
                Outcome::Fetched | Outcome::Failed => Self::REFETCH_INTERVAL,
            };
            now >= attempt.at + wait
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A number of so many bits, all of them set, in base64url.
    fn number(bits: usize) -> String {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= (8 - bits % 8) % 8;
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn jwk(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": number(2048), "e": "AQAB"})
    }

    fn set(keys: &[Value]) -> Result<KeySet, InvalidKeySet> {
        KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn id(kid: &str) -> KeyId {
        KeyId::new(kid).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// The word for an answer.
    fn find(cache: &mut CachedKeys, kid: &str, seconds: i64) -> &'static str {
        match cache.find(&id(kid), at(seconds)) {
            Answer::Key(_) => "key",
            Answer::Fetch => "fetch",
            Answer::Wait => "wait",
            Answer::Unknown => "unknown",
            Answer::Unavailable => "unavailable",
        }
    }

    #[test]
    fn takes_names_with_slashes_and_none_that_is_a_way_out() {
        let long = "k".repeat(KeyId::MAX_LEN);
        let observed = "forge/invocation-token/wf-0e50fccb-239d-4991-a5db-dc850ba3f236";
        for kid in ["K", "a.b_c-d", observed, &long] {
            assert_eq!(id(kid).as_str(), kid);
        }
        for kid in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a/.b",
            "a\\b",
            "a%2fb",
            "a b",
            "a\0",
            "é",
            "https://example.com/k",
            "a?b",
            "a#b",
            "a:b",
            &format!("{long}k"),
        ] {
            assert!(KeyId::new(kid).is_none(), "{kid}");
        }
    }

    #[test]
    fn takes_rsa_keys_for_rs256_and_ignores_all_others() {
        let change = |name: &str, value: Value| {
            let mut jwk = jwk("other");
            jwk[name] = value;
            jwk
        };
        let ignored = [
            // The secret of an HMAC under the name of a key.
            json!({"kty": "oct", "kid": "other", "alg": "RS256", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA"}),
            change("kty", json!("rsa")),
            change("use", json!("enc")),
            change("alg", json!("RS512")),
            change("alg", json!("HS256")),
            change("key_ops", json!(["encrypt"])),
            change("kid", json!("../other")),
            change("kid", json!(7)),
            change("n", json!(number(2047))),
            change("n", json!(number(8193))),
            change("n", json!("not base64!")),
            change("n", json!(null)),
            change("e", json!("AQ")),
            change("e", json!("Ag")),
            change("e", json!(number(65))),
            json!(7),
            json!(null),
            json!({}),
        ];
        for other in ignored {
            let keys = set(&[other.clone(), jwk("forge/a")]).unwrap();
            assert_eq!(keys.len(), 1, "{other}");
            assert!(keys.find(&id("forge/a")).is_some() && keys.find(&id("other")).is_none());
            assert_eq!(set(&[other]).unwrap_err(), InvalidKeySet::NoUsableKey);
        }
        for same in [
            json!({"kty": "RSA", "kid": "other", "n": number(2048), "e": "AQAB"}),
            change("key_ops", json!(["verify"])),
            change("x5c", json!(["ignored"])),
            change("n", json!(number(8192))),
        ] {
            assert!(
                set(std::slice::from_ref(&same)).unwrap().find(&id("other")).is_some(),
                "{same}"
            );
        }
    }

    #[test]
    fn takes_a_name_that_is_there_twice_for_one_key_only() {
        assert_eq!(set(&[jwk("a"), jwk("a"), jwk("b")]).unwrap().len(), 2);
        let mut other = jwk("a");
        other["n"] = number(3072).into();
        for twice in [[jwk("a"), other.clone(), jwk("b")], [other.clone(), jwk("b"), jwk("a")]] {
            let keys = set(&twice).unwrap();
            assert!(keys.find(&id("a")).is_none() && keys.find(&id("b")).is_some());
        }
        // It stays ignored, however often it is there.
        assert_eq!(set(&[jwk("a"), other, jwk("a")]).unwrap_err(), InvalidKeySet::NoUsableKey);
        // A key of another type takes nothing away from it.
        let oct = json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"});
        assert_eq!(set(&[oct.clone(), jwk("a"), oct]).unwrap().len(), 1);
    }

    #[test]
    fn limits_what_it_parses() {
        for json in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]"#, "<html>"] {
            let error = KeySet::from_json(json.as_bytes()).unwrap_err();
            assert_eq!(error, InvalidKeySet::NotAKeySet, "{json}");
        }
        assert_eq!(set(&[]).unwrap_err(), InvalidKeySet::NoUsableKey);
        let many = vec![json!({}); KeySet::MAX_KEYS + 1];
        assert_eq!(set(&many).unwrap_err(), InvalidKeySet::TooMany { keys: many.len() });
        let long = vec![b' '; KeySet::MAX_LEN + 1];
        assert_eq!(
            KeySet::from_json(&long).unwrap_err(),
            InvalidKeySet::TooLong { bytes: long.len() }
        );
    }

    #[test]
    fn fetches_once_and_lets_the_others_wait() {
        let mut cache = CachedKeys::default();
        assert_eq!(find(&mut cache, "a", 0), "fetch");
        assert_eq!(find(&mut cache, "a", 1), "wait");
        assert_eq!(find(&mut cache, "b", 9), "wait");
        cache.fetched(set(&[jwk("a")]).unwrap(), at(9));
        assert_eq!(find(&mut cache, "a", 9), "key");
    }

    #[test]
    fn fetches_again_after_an_invocation_that_ended_without_a_word() {
        let mut cache = CachedKeys::default();
        assert_eq!(find(&mut cache, "a", 0), "fetch");
        assert_eq!(find(&mut cache, "a", 10), "fetch");
        assert_eq!(find(&mut cache, "a", 11), "wait");
    }

    #[test]
    fn fetches_for_an_unknown_key_at_most_once_a_minute() {
        let mut cache = CachedKeys::default();
        assert_eq!(find(&mut cache, "a", 0), "fetch");
        cache.fetched(set(&[jwk("a")]).unwrap(), at(0));
        let mut fetches = 0;
        for seconds in 0..600 {
            match find(&mut cache, &format!("invented-{seconds}"), seconds) {
                "fetch" => {
                    fetches += 1;
                    cache.fetched(set(&[jwk("a")]).unwrap(), at(seconds));
                }
                answer => assert_eq!(answer, "unknown"),
            }
            assert_eq!(find(&mut cache, "a", seconds), "key");
        }
        assert_eq!(fetches, 9);
        // A new key is found by the next fetch.
        assert_eq!(find(&mut cache, "b", 600), "fetch");
        cache.fetched(set(&[jwk("b")]).unwrap(), at(600));
        assert_eq!(find(&mut cache, "b", 600), "key");
        assert_eq!(find(&mut cache, "a", 600), "unknown");
    }

    #[test]
    fn keeps_the_old_set_when_a_fetch_fails() {
        let mut cache = CachedKeys::default();
        assert_eq!(find(&mut cache, "a", 0), "fetch");
        cache.fetched(set(&[jwk("a")]).unwrap(), at(0));
        assert_eq!(find(&mut cache, "a", 3599), "key");
        assert_eq!(find(&mut cache, "a", 3600), "fetch");
        assert_eq!(find(&mut cache, "a", 3600), "key", "while it is fetched");
        cache.failed();
        for seconds in [3601, 3659] {
            assert_eq!(find(&mut cache, "a", seconds), "key");
            // It may be in the set that could not be fetched.
            assert_eq!(find(&mut cache, "b", seconds), "unavailable");
        }
        assert_eq!(find(&mut cache, "a", 3660), "fetch");
    }

    #[test]
    fn calls_no_token_untrusted_without_a_key_set() {
        let mut cache = CachedKeys::default();
        assert_eq!(find(&mut cache, "a", 0), "fetch");
        cache.failed();
        assert_eq!(find(&mut cache, "a", 0), "unavailable");
        assert_eq!(find(&mut cache, "a", 4), "unavailable");
        assert_eq!(find(&mut cache, "a", 5), "fetch");
    }
}

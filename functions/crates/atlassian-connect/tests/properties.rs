//! What holds for every request and every token, whoever wrote it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use atlassian_connect::jwt::{self, Claims, Untrusted, Unverified};
use atlassian_connect::qsh::Request;
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A parameter: its name and its value, decoded.
type Parameter = (String, String);

fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
    let name = any::<String>().prop_filter("the token is no parameter", |name| name != "jwt");
    prop::collection::vec((name, any::<String>()), 0..6)
}

fn path() -> impl Strategy<Value = String> {
    "(/[a-zA-Z0-9._~-]{1,8}){0,4}"
}

fn query(parameters: &[Parameter]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

fn hash(path: &str, query: &str) -> String {
    Request { method: "POST", path, query, base_path: "" }.hash().unwrap()
}

proptest! {
    #[test]
    fn the_order_of_parameters_never_matters(
        path in path(),
        (ordered, shuffled) in parameters()
            .prop_flat_map(|ordered| (Just(ordered.clone()), Just(ordered).prop_shuffle())),
    ) {
        prop_assert_eq!(hash(&path, &query(&ordered)), hash(&path, &query(&shuffled)));
    }

    #[test]
    fn the_token_never_matters(
        path in path(), parameters in parameters(), token in any::<String>(), at in 0_usize..7,
    ) {
        let mut with = parameters.clone();
        with.insert(at.min(with.len()), ("jwt".into(), token));
        prop_assert_eq!(hash(&path, &query(&parameters)), hash(&path, &query(&with)));
    }

    #[test]
    fn how_a_parameter_is_encoded_never_matters(text in "[a-zA-Z0-9 ~_.-]{1,16}") {
        let as_it_is = format!("a={}", text.replace(' ', "+"));
        let every_byte: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        prop_assert_eq!(hash("/h", &as_it_is), hash("/h", &format!("a={every_byte}")));
    }

    #[test]
    fn the_base_path_never_matters(base in path(), path in path(), parameters in parameters()) {
        let query = query(&parameters);
        let below = format!("{base}{path}");
        let request = Request { method: "POST", path: &below, query: &query, base_path: &base };
        prop_assert_eq!(request.hash().unwrap(), hash(&path, &query));
    }

    /// One letter of path, name or value becomes another: no other request has the same hash.
    #[test]
    fn every_byte_matters(
        path in "/[a-z]{1,8}", name in "[a-z]{1,8}", value in "[a-z]{1,8}",
        (position, letter) in (any::<prop::sample::Index>(), b'a'..=b'z'),
    ) {
        let target = format!("{path}?{name}={value}");
        let mut changed = target.clone().into_bytes();
        let letters: Vec<usize> = (0..changed.len())
            .filter(|at| changed[*at].is_ascii_lowercase())
            .collect();
        changed[letters[position.index(letters.len())]] = letter;
        let changed = String::from_utf8(changed).unwrap();
        prop_assume!(changed != target && name != "jwt" && !changed.contains("?jwt="));
        let qsh = Request::of_url("POST", &target, "").hash().unwrap();
        prop_assert!(Request::of_url("POST", &target, "").accepts(&qsh));
        prop_assert!(!Request::of_url("POST", &changed, "").accepts(&qsh));
        prop_assert!(!Request::of_url("GET", &target, "").accepts(&qsh));
    }

    #[test]
    fn no_request_is_accepted_without_its_hash(
        method in any::<String>(), url in any::<String>(), base in any::<String>(),
        qsh in any::<String>(),
    ) {
        let request = Request::of_url(&method, &url, &base);
        prop_assert!(!request.accepts(&qsh));
        if let Ok(hash) = request.hash() {
            prop_assert!(request.accepts(&hash));
        }
    }
}

const NOW: i64 = 1_700_000_000;

fn request() -> Request<'static> {
    Request::of_url("POST", "/issue-created", "")
}

fn verify(token: &str, secret: &SharedSecret) -> Result<Claims, Untrusted> {
    let now = Timestamp::from_second(NOW).unwrap();
    Unverified::webhook(token)?.screen(&request(), now)?.verify(secret)
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "iat": NOW, "exp": NOW + 180, "qsh": request().hash().unwrap() })
}

/// Any JSON, as claims might be.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_is_trusted(token in any::<String>(), secret in any::<String>()) {
        prop_assert!(verify(&token, &SharedSecret::new(secret)).is_err());
    }

    #[test]
    fn three_segments_of_json_are_not_trusted(header in json(), body in json()) {
        let segment = |value: &Value| {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let token = format!("{}.{}.", segment(&header), segment(&body));
        prop_assert!(verify(&token, &SharedSecret::new("")).is_err());
    }

    #[test]
    fn a_tenant_is_trusted_only_with_its_own_secret(
        issuer in "[!-~]{1,128}", secret in any::<String>(), other in any::<String>(),
    ) {
        let token = jwt::sign(&claims(&issuer), &SharedSecret::new(secret.as_str()));
        let trusted = verify(&token, &SharedSecret::new(secret.as_str())).unwrap();
        prop_assert_eq!(trusted.issuer(), issuer);
        prop_assume!(!same_hmac_key(&secret, &other));
        let refused = verify(&token, &SharedSecret::new(other)).unwrap_err();
        prop_assert_eq!(refused, Untrusted::Signature);
    }

    #[test]
    fn one_changed_byte_of_a_token_is_not_trusted(
        position in any::<prop::sample::Index>(), byte in 0_u8..128,
    ) {
        let secret = SharedSecret::new("s3cr3t");
        let token = jwt::sign(&claims("tenant"), &secret);
        let mut changed = token.clone().into_bytes();
        let position = position.index(changed.len());
        prop_assume!(changed[position] != byte);
        changed[position] = byte;
        prop_assert!(verify(&String::from_utf8(changed).unwrap(), &secret).is_err());
    }

    /// The signature is right, and each claim is whatever it likes.
    #[test]
    fn a_signed_claim_of_any_form_never_panics(
        name in prop::sample::select(vec!["iss", "exp", "iat", "nbf", "qsh", "aud", "sub", "x"]),
        value in json(),
    ) {
        let secret = SharedSecret::new("s3cr3t");
        let mut claims = claims("tenant");
        claims[name] = value.clone();
        let verified = verify(&jwt::sign(&claims, &secret), &secret);
        if name == "qsh" {
            prop_assert!(verified.is_err());
        }
        if let Ok(verified) = verified {
            prop_assert!(!verified.issuer().is_empty());
            let exp = claims["exp"].as_f64().expect("an exp that is no number is refused");
            prop_assert!(exp + 60.0 >= 1_700_000_000.0);
        }
    }
}

/// HMAC fills a short key with zeros (RFC 2104, section 2): with and without them it is the same.
fn same_hmac_key(one: &str, other: &str) -> bool {
    one.trim_end_matches('\0') == other.trim_end_matches('\0')
}

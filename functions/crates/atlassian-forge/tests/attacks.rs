//! Tokens that must not be trusted, and those that must. Each row changes one thing in what
//! Atlassian would send for an event.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::LazyLock;

use atlassian_forge::keys::{Key, KeyId, KeySet};
use atlassian_forge::token::{
    self, AppId, Claims, EndpointKey, LEEWAY, MAX_LIFETIME, MAX_TOKEN_LEN, Screened, Untrusted,
    Unverified,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const KID: &str = "forge/invocation-token/wf-0e50fccb-239d-4991-a5db-dc850ba3f236";
const APP: &str = "ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107";
const OTHER_APP: &str = "ari:cloud:ecosystem::app/00000000-1f32-48bb-8c52-5877dab48107";
const INSTALLATION: &str = "ari:cloud:ecosystem::installation/0a3a7799-53ae-4a5b-9e7e-03338980abb5";
const CLOUD_ID: &str = "d0d52620-3203-4cfa-8db5-f2587155f0dd";

/// A key pair of the signer's.
struct Signer {
    private_pem: String,
    public_pem: String,
    n: String,
    e: String,
}

impl Signer {
    fn new() -> Self {
        let key = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap();
        let encoded = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        Self {
            private_pem: key.to_pkcs1_pem(LineEnding::LF).unwrap().to_string(),
            public_pem: key.to_public_key().to_public_key_pem(LineEnding::LF).unwrap(),
            n: encoded(key.n()),
            e: encoded(key.e()),
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": self.n, "e": self.e})
    }

    fn sign(&self, claims: &Value) -> String {
        token::sign(claims, KID, self.private_pem.as_bytes()).unwrap()
    }
}

static ATLASSIAN: LazyLock<Signer> = LazyLock::new(Signer::new);
static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::new);

/// The key set as Atlassian would serve it, with a secret that goes by the same name as the key.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let oct = json!({"kty": "oct", "kid": KID, "alg": "RS256", "k": "c2VjcmV0"});
    let keys = json!({ "keys": [oct, ATLASSIAN.jwk(KID), ATLASSIAN.jwk("another")] });
    KeySet::from_json(keys.to_string().as_bytes()).unwrap()
});

fn key() -> &'static Key {
    KEYS.find(&KeyId::new(KID).unwrap()).unwrap()
}

fn claims() -> Value {
    let api = format!("https://api.atlassian.com/ex/jira/{CLOUD_ID}");
    json!({
        "iss": "forge/invocation-token", "aud": APP, "iat": NOW, "nbf": NOW, "exp": NOW + 25,
        "jti": "d8a496253ec8c18a54631e4c82cbedd5d0ae8570",
        "app": {
            "id": APP, "appVersion": "2.0.0", "installationId": INSTALLATION, "apiBaseUrl": api,
            "environment": {"type": "PRODUCTION", "id": "ari:cloud:ecosystem::environment/a/b"},
            "module": {"type": "core:endpoint", "key": "issue-changed"},
            "installation": {
                "id": INSTALLATION,
                "contexts": [{"name": "jira", "apiBaseUrl": api, "cloudId": CLOUD_ID}],
            },
        },
    })
}

fn screen_at(token: &str, now: i64) -> Result<Screened<'_>, Untrusted> {
    let app: AppId = APP.parse().unwrap();
    let endpoint: EndpointKey = "issue-changed".parse().unwrap();
    Unverified::parse(token)?.screen(&app, &endpoint, Timestamp::from_second(now).unwrap())
}

/// The whole way, as a receiver goes it.
fn verify(token: &str) -> Result<Claims, Untrusted> {
    let screened = screen_at(token, NOW)?;
    screened.verify(KEYS.find(screened.key_id()).ok_or(Untrusted::UnknownKey)?)
}

fn with(change: impl FnOnce(&mut Value)) -> Result<Claims, Untrusted> {
    let mut claims = claims();
    change(&mut claims);
    verify(&ATLASSIAN.sign(&claims))
}

fn without(path: &[&str]) -> Result<Claims, Untrusted> {
    with(|claims| {
        let (last, above) = path.split_last().unwrap();
        let parent = above.iter().fold(claims, |value, name| &mut value[*name]);
        assert!(parent.as_object_mut().unwrap().remove(*last).is_some(), "{path:?}");
    })
}

/// A token with this header, signed by Atlassian as RS256.
fn with_header(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_rsa_pem(ATLASSIAN.private_pem.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::RS256).unwrap();
    format!("{signed}.{signature}")
}

fn malformed(segment: &'static str) -> Untrusted {
    Untrusted::Segment { segment }
}

#[test]
fn trusts_what_atlassian_signs_for_an_event() {
    let claims = with(|_| {}).unwrap();
    assert_eq!(claims.installation().as_str(), INSTALLATION);
    assert_eq!(claims.cloud_id(), Some(CLOUD_ID));
    assert_eq!(claims.product(), Some("jira"));
    assert_eq!(claims.contexts().collect::<Vec<_>>(), ["jira"]);
    assert_eq!(claims.environment(), Some("PRODUCTION"));
    assert_eq!(claims.app_version(), Some("2.0.0"));
    assert_eq!(claims.module_key(), "issue-changed");
    assert_eq!(claims.issued_at(), Timestamp::from_second(NOW).ok());
}

#[test]
fn takes_a_bearer_token_in_any_case_and_no_other_scheme() {
    for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "bEaReR a.b.c"] {
        assert_eq!(token::bearer(header), Some("a.b.c"), "{header}");
    }
    for header in ["", "a.b.c", "JWT a.b.c", "Bearer", "Bearer ", "Bearer: a.b.c", "Basic a.b.c"] {
        assert_eq!(token::bearer(header), None, "{header}");
    }
    // Two headers, which API Gateway joins with a comma.
    let token = ATLASSIAN.sign(&claims());
    let twice = format!("Bearer {token},Bearer {token}");
    assert!(verify(token::bearer(&twice).unwrap()).is_err());
}

#[test]
fn takes_no_algorithm_from_the_token() {
    let claims = claims().to_string();
    for alg in
        ["none", "None", "NONE", "HS256", "HS512", "RS384", "RS512", "PS256", "ES256", "rs256", ""]
    {
        let token = with_header(&json!({"alg": alg, "kid": KID}).to_string(), &claims);
        assert_eq!(verify(&token).unwrap_err(), Untrusted::Algorithm, "{alg}");
        // It is refused before its kid is looked at.
        let token = with_header(&json!({"alg": alg, "kid": "../k"}).to_string(), &claims);
        assert_eq!(verify(&token).unwrap_err(), Untrusted::Algorithm, "{alg}");
    }
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": KID}).to_string());
    let unsigned = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(&claims));
    assert_eq!(verify(&unsigned).unwrap_err(), Untrusted::Algorithm);
    let unsigned = unsigned
        .replace(&header, &URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": KID}).to_string()));
    assert_eq!(verify(&unsigned).unwrap_err(), Untrusted::Signature);
}

#[test]
fn takes_no_public_key_for_the_secret_of_an_hmac() {
    let modulus = URL_SAFE_NO_PAD.decode(&ATLASSIAN.n).unwrap();
    for secret in [ATLASSIAN.public_pem.as_bytes(), &modulus, ATLASSIAN.n.as_bytes(), b"secret"] {
        let header = Header { kid: Some(KID.into()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(secret);
        let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
        assert_eq!(verify(&token).unwrap_err(), Untrusted::Algorithm);
        // The same signature under the header of RS256.
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": KID}).to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims().to_string());
        let signed = format!("{header}.{claims}");
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        assert_eq!(verify(&format!("{signed}.{signature}")).unwrap_err(), Untrusted::Signature);
    }
}

#[test]
fn trusts_no_key_that_a_stranger_or_the_token_brings() {
    assert_eq!(verify(&STRANGER.sign(&claims())).unwrap_err(), Untrusted::Signature);
    let claims = claims().to_string();
    let jwk = STRANGER.jwk(KID);
    for name in ["jwk", "jku", "x5u", "x5c"] {
        let value = match name {
            "jwk" => jwk.clone(),
            "x5c" => json!(["MIIB"]),
            _ => "https://evil.example/jwks".into(),
        };
        let header = json!({"alg": "RS256", "kid": KID, name: value}).to_string();
        // Atlassian's signature still counts, and nobody else's does.
        assert!(verify(&with_header(&header, &claims)).is_ok(), "{name}");
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&claims));
        let key = EncodingKey::from_rsa_pem(STRANGER.private_pem.as_bytes()).unwrap();
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::RS256).unwrap();
        assert_eq!(verify(&format!("{signed}.{signature}")).unwrap_err(), Untrusted::Signature);
    }
}

#[test]
fn takes_the_name_of_a_key_and_nothing_else() {
    let claims = claims().to_string();
    let with_kid = |kid: Value| {
        verify(&with_header(&json!({"alg": "RS256", "kid": kid}).to_string(), &claims))
    };
    assert_eq!(verify(&with_header(r#"{"alg":"RS256"}"#, &claims)).unwrap_err(), Untrusted::KeyId);
    let long = "k".repeat(KeyId::MAX_LEN + 1);
    for kid in [
        "",
        "../../etc/passwd",
        "/a",
        "a//b",
        "forge/../x",
        "http://evil.example/k",
        "a%2e%2e",
        "a b",
        "a\u{0}b",
        "a\\b",
        &long,
    ] {
        assert_eq!(with_kid(kid.into()).unwrap_err(), Untrusted::KeyId, "{kid}");
    }
    for kid in [json!(7), json!(["a"]), json!({"a": 1})] {
        assert_eq!(with_kid(kid.clone()).unwrap_err(), malformed("header"), "{kid}");
    }
    assert_eq!(
        with_kid("forge/invocation-token/unknown".into()).unwrap_err(),
        Untrusted::UnknownKey
    );
    // A screened token takes only the key that it names.
    let token = with_header(&json!({"alg": "RS256", "kid": "another"}).to_string(), &claims);
    assert!(verify(&token).is_ok());
    assert_eq!(screen_at(&token, NOW).unwrap().verify(key()).unwrap_err(), Untrusted::KeyId);
}

#[test]
fn trusts_no_token_of_another_app() {
    for aud in [
        json!(OTHER_APP),
        json!([APP, OTHER_APP]),
        json!([]),
        json!(""),
        json!("ari:cloud:ecosystem::app/"),
    ] {
        assert_eq!(with(|c| c["aud"] = aud.clone()).unwrap_err(), Untrusted::OtherApp, "{aud}");
    }
    assert!(with(|c| c["aud"] = json!([APP])).is_ok());
    assert_eq!(with(|c| c["app"]["id"] = OTHER_APP.into()).unwrap_err(), Untrusted::OtherApp);
    let other = with(|c| {
        c["aud"] = OTHER_APP.into();
        c["app"]["id"] = OTHER_APP.into();
    });
    assert_eq!(other.unwrap_err(), Untrusted::OtherApp);
    for iss in ["", "forge", "forge-sim", "forge/invocation-token ", "FORGE/INVOCATION-TOKEN"] {
        assert_eq!(with(|c| c["iss"] = iss.into()).unwrap_err(), Untrusted::Issuer, "{iss}");
    }
}

#[test]
fn trusts_no_token_of_a_user() {
    // What `requestRemote` sends from a browser, with whatever body its user likes.
    let browser = with(|c| {
        c["app"]["module"] = json!({"type": "jira:issuePanel", "key": "panel"});
        c["principal"] = "557058:00000000-0000-4000-8000-0000000000aa".into();
        c["context"] = json!({"cloudId": CLOUD_ID, "moduleKey": "panel"});
    });
    assert_eq!(browser.unwrap_err(), Untrusted::User);
    // A page whose resolver is an endpoint: the module may be an endpoint, even this one.
    assert_eq!(with(|c| c["principal"] = "5b10".into()).unwrap_err(), Untrusted::User);
    assert_eq!(with(|c| c["context"] = json!({})).unwrap_err(), Untrusted::User);
    for kind in
        ["xen:macro", "jira:issuePanel", "core:function", "core:Endpoint", "", "core:endpoint "]
    {
        let refused = with(|c| c["app"]["module"]["type"] = kind.into()).unwrap_err();
        assert_eq!(refused, Untrusted::Module, "{kind}");
    }
    for key in ["panel", "issue-change", "issue-changed2", "Issue-Changed", ""] {
        let refused = with(|c| c["app"]["module"]["key"] = key.into()).unwrap_err();
        assert_eq!(refused, Untrusted::OtherEndpoint, "{key}");
    }
    // Null is nobody.
    assert!(
        with(|c| {
            c["principal"] = Value::Null;
            c["context"] = Value::Null
        })
        .is_ok()
    );
}

#[test]
fn trusts_no_isolated_cloud() {
    for label in [json!("orange"), json!("../orange"), json!(7), json!("")] {
        assert_eq!(with(|c| c["icLabel"] = label.clone()).unwrap_err(), Untrusted::IsolatedCloud);
    }
}

#[test]
fn allows_the_leeway_and_not_a_second_more() {
    let token = ATLASSIAN.sign(&claims());
    let at = |now| screen_at(&token, now).map(drop);
    assert_eq!(LEEWAY, 10);
    assert_eq!(at(NOW + 25 + 10), Ok(()));
    assert_eq!(at(NOW + 25 + 11), Err(Untrusted::Expired { seconds: 11 }));
    assert_eq!(at(NOW - 10), Ok(()));
    assert_eq!(at(NOW - 11), Err(Untrusted::NotYetValid { seconds: 11 }));
    for name in ["nbf", "iat"] {
        let early = with(|c| c[name] = (NOW + 11).into()).unwrap_err();
        assert_eq!(early, Untrusted::NotYetValid { seconds: 11 }, "{name}");
    }
    assert!(with(|c| c["exp"] = (NOW + MAX_LIFETIME).into()).is_ok());
    for (iat, exp, seconds) in [
        (NOW, json!(NOW + MAX_LIFETIME + 1), MAX_LIFETIME + 1),
        (NOW - MAX_LIFETIME, json!(NOW + 1), MAX_LIFETIME + 1),
        (NOW, json!(u64::MAX), i64::MAX - NOW),
        (0, json!(u64::MAX), i64::MAX),
    ] {
        let long = with(|c| {
            c["iat"] = iat.into();
            c["exp"] = exp.clone()
        })
        .unwrap_err();
        assert_eq!(long, Untrusted::LifetimeTooLong { seconds }, "{iat} {exp}");
    }
}

#[test]
fn requires_what_decides_and_not_the_rest() {
    for path in [
        &["iss"][..],
        &["aud"],
        &["exp"],
        &["nbf"],
        &["iat"],
        &["app"],
        &["app", "id"],
        &["app", "installationId"],
        &["app", "module"],
        &["app", "module", "type"],
        &["app", "module", "key"],
    ] {
        assert_eq!(without(path).unwrap_err(), malformed("claims"), "{path:?}");
    }
    for path in [
        &["jti"][..],
        &["app", "appVersion"],
        &["app", "apiBaseUrl"],
        &["app", "environment"],
        &["app", "installation"],
    ] {
        assert!(without(path).is_ok(), "{path:?}");
    }
    for (name, value) in [
        ("exp", json!("1800000025")),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(1e20)),
        ("nbf", json!(null)),
        ("iat", json!([])),
        ("iss", json!(7)),
        ("aud", json!(7)),
        ("app", json!(null)),
        ("aud", json!([7])),
        ("app", json!([])),
    ] {
        assert_eq!(
            with(|c| c[name] = value.clone()).unwrap_err(),
            malformed("claims"),
            "{name} {value}"
        );
    }
}

#[test]
fn trusts_no_claim_that_is_there_twice() {
    let header = json!({"alg": "RS256", "kid": KID}).to_string();
    let claims = claims().to_string();
    assert!(verify(&with_header(&header, &claims)).is_ok());
    for (name, value) in [
        ("iss", r#""forge/invocation-token""#),
        ("aud", &*format!("{APP:?}")),
        ("exp", "1800000025"),
        ("iat", "1800000000"),
        ("nbf", "1800000000"),
        ("app", "{}"),
    ] {
        for twice in [
            claims.replacen('{', &format!(r#"{{"{name}":{value},"#), 1),
            format!(r#"{},"{name}":{value}}}"#, claims.strip_suffix('}').unwrap()),
        ] {
            assert_eq!(
                verify(&with_header(&header, &twice)).unwrap_err(),
                malformed("claims"),
                "{name}"
            );
        }
    }
    for (once, twice) in [
        (r#""module":{"#, r#""module":{"key":"issue-changed","#),
        (r#""module":{"#, r#""module":{},"module":{"#),
        (r#""app":{"#, r#""app":{"installationId":"x","#),
    ] {
        assert!(claims.contains(once));
        let twice = claims.replacen(once, twice, 1);
        assert_eq!(
            verify(&with_header(&header, &twice)).unwrap_err(),
            malformed("claims"),
            "{twice}"
        );
    }
    let twice = r#"{"alg":"RS256","kid":"a","alg":"none"}"#;
    assert_eq!(verify(&with_header(twice, &claims)).unwrap_err(), malformed("header"));
    let twice = format!(r#"{{"alg":"RS256","kid":"a","kid":"{KID}"}}"#);
    assert_eq!(verify(&with_header(&twice, &claims)).unwrap_err(), malformed("header"));
}

#[test]
fn refuses_what_is_no_token() {
    for token in ["", "a", "a.b", "a.b.c.d", "..", "e30.e30.e30", "e30=.e30.e30", "\u{fffd}.é.x"] {
        assert!(verify(token).is_err(), "{token}");
    }
    let crit = json!({"alg": "RS256", "kid": KID, "crit": ["x"], "x": 1}).to_string();
    assert_eq!(
        verify(&with_header(&crit, &claims().to_string())).unwrap_err(),
        malformed("header")
    );
    let huge = with(|c| c["padding"] = "x".repeat(MAX_TOKEN_LEN).into()).unwrap_err();
    assert!(matches!(huge, Untrusted::TooLong { bytes } if bytes > MAX_TOKEN_LEN), "{huge}");
    let deep = format!("{}1{}", "[".repeat(3000), "]".repeat(3000));
    let deep = with_header(&json!({"alg": "RS256", "kid": KID}).to_string(), &deep);
    assert!(verify(&deep).is_err());
}

#[test]
fn names_one_installation() {
    let other = "ari:cloud:ecosystem::installation/00000000-53ae-4a5b-9e7e-03338980abb5";
    let refused = with(|c| c["app"]["installation"]["id"] = other.into()).unwrap_err();
    assert_eq!(refused, Untrusted::Installation);
    let long = format!("ari:cloud:ecosystem::installation/{}", "a".repeat(65));
    for id in [
        "",
        "0a3a7799",
        APP,
        "ari:cloud:ecosystem::installation/",
        "ari:cloud:ecosystem::installation/a b",
        &long,
    ] {
        let refused = with(|c| {
            c["app"]["installationId"] = id.into();
            c["app"]["installation"]["id"] = id.into();
        });
        assert_eq!(refused.unwrap_err(), Untrusted::Installation, "{id}");
    }
}

#[test]
fn knows_the_site_from_either_place_and_believes_no_contradiction() {
    let site = |change: fn(&mut Value)| with(change).unwrap().cloud_id().map(str::to_owned);
    assert_eq!(
        site(|c| drop(c["app"].as_object_mut().unwrap().remove("installation"))).as_deref(),
        Some(CLOUD_ID)
    );
    assert_eq!(
        site(|c| drop(c["app"].as_object_mut().unwrap().remove("apiBaseUrl"))).as_deref(),
        Some(CLOUD_ID)
    );
    let captured = site(|c| {
        drop(c["app"]["installation"]["contexts"][0].as_object_mut().unwrap().remove("cloudId"))
    });
    assert_eq!(captured.as_deref(), Some(CLOUD_ID), "without a cloudId, as observed in 2025");
    assert_eq!(site(|c| c["app"]["installation"]["contexts"][0]["cloudId"] = "other".into()), None);
    assert_eq!(
        site(|c| c["app"]["apiBaseUrl"] = "https://api.atlassian.com/ex/jira/other".into()),
        None
    );
    let bitbucket = with(|c| {
        c["app"]["apiBaseUrl"] = "https://api.bitbucket.org".into();
        c["app"]["installation"]["contexts"] = json!([{"name": "bitbucket", "apiBaseUrl": "https://api.bitbucket.org", "workspaceId": "w"}]);
    });
    let bitbucket = bitbucket.unwrap();
    assert_eq!((bitbucket.cloud_id(), bitbucket.product()), (None, Some("bitbucket")));
}

#[test]
fn prints_nothing_of_a_token() {
    let token = ATLASSIAN.sign(&claims());
    let unverified = format!("{:?}", Unverified::parse(&token).unwrap());
    let screened = format!("{:?}", screen_at(&token, NOW).unwrap());
    let errors: Vec<_> =
        (0..token.len()).step_by(7).filter_map(|end| verify(&token[..end]).err()).collect();
    let printed = format!("{unverified} {screened} {errors:?} {:?}", key());
    assert!(token.split('.').all(|segment| !printed.contains(segment)), "{printed}");
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_trusted(token in any::<String>()) {
        prop_assert!(verify(&token).is_err());
    }

    #[test]
    fn three_segments_of_json_are_not_trusted(header in json(), body in json()) {
        let segment = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.", segment(&header), segment(&body));
        prop_assert!(verify(&token).is_err());
    }

    #[test]
    fn one_changed_byte_of_a_token_is_not_trusted(
        position in any::<prop::sample::Index>(), byte in 0_u8..128,
    ) {
        let mut changed = ATLASSIAN.sign(&claims()).into_bytes();
        let position = position.index(changed.len());
        prop_assume!(changed[position] != byte);
        changed[position] = byte;
        prop_assert!(verify(&String::from_utf8(changed).unwrap()).is_err());
    }

    /// The signature is right, and each claim is whatever it likes.
    #[test]
    fn a_signed_claim_of_any_form_never_panics(
        name in prop::sample::select(vec![
            "iss", "aud", "exp", "iat", "nbf", "app", "principal", "context", "icLabel", "jti",
        ]),
        value in json(),
    ) {
        let verified = with(|claims| claims[name] = value.clone());
        match name {
            "jti" => prop_assert!(verified.is_ok()),
            "principal" | "context" | "icLabel" => prop_assert_eq!(verified.is_ok(), value.is_null()),
            // A number may be a time of now by chance; nothing else can be right.
            "exp" | "iat" | "nbf" => prop_assert!(verified.is_err() || value.is_number()),
            _ => prop_assert!(verified.is_err()),
        }
    }

    #[test]
    fn a_signed_claim_of_the_app_never_panics(
        name in prop::sample::select(vec![
            "id", "installationId", "module", "installation", "environment", "apiBaseUrl",
        ]),
        value in json(),
    ) {
        let verified = with(|claims| claims["app"][name] = value);
        if let Ok(claims) = verified {
            prop_assert_eq!(claims.installation().as_str(), INSTALLATION);
            let _ = (claims.cloud_id(), claims.product());
        }
    }
}

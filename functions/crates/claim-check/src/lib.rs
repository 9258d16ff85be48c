//! The claim check pattern: an S3 bucket for deliveries that exceed the queue's limit.
//!
//! The message contains a reference to the stored delivery. The bucket is optional; without it such
//! a delivery is refused.

use atlassian_connect::delivery::ObjectRef;
use aws_types::SdkConfig;
use contract::variable;
use http::Request;
use http::header::CONTENT_TYPE;
use runtime::aws::signed::{Failed, Service, configured_endpoint, domain};
use runtime::environment::optional;

/// The S3 bucket that stores deliveries too large for the queue.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    s3: Service,
    bucket: String,
    /// What precedes the key in a path.
    prefix: String,
}

impl ObjectStore {
    /// The bucket that the environment names, if any.
    pub fn from_environment(aws: &SdkConfig) -> Option<Self> {
        optional(variable::BODIES_BUCKET).map(|bucket| Self::new(aws, bucket))
    }

    /// A bucket by its name.
    pub fn new(aws: &SdkConfig, bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        let region = aws.region().map_or("", AsRef::as_ref);
        let host = format!("s3.{region}.{}", domain(region));
        let (endpoint, prefix) = match configured_endpoint(aws, "S3") {
            // Only S3 itself has a host name for each bucket.
            Some(url) => (url, format!("/{bucket}/")),
            // Its certificate is for one label.
            None if bucket.contains('.') => (format!("https://{host}"), format!("/{bucket}/")),
            None => (format!("https://{bucket}.{host}"), "/".to_owned()),
        };
        Self { s3: Service::new(aws, "s3", &endpoint), bucket, prefix }
    }

    /// Stores the text of a delivery. Needs `s3:PutObject`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if S3 did not store the object. No message may refer to it then.
    pub async fn put(&self, stored: &ObjectRef, text: String) -> Result<(), Unavailable> {
        let put = Request::put(self.path(stored)).header(CONTENT_TYPE, "application/json");
        let put = put.body(text.into_bytes()).map_err(|error| self.unsent(error))?;
        // S3 compares it with what arrives.
        let put = self.s3.call(put, Some(stored.sha256())).await;
        put.map(drop).map_err(|failed| self.unavailable(failed))
    }

    /// Fetches the text of a delivery. Needs `s3:GetObject`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if S3 did not answer, or the object does not exist.
    pub async fn get(&self, stored: &ObjectRef) -> Result<Vec<u8>, Unavailable> {
        let get = Request::get(self.path(stored)).body(Vec::new());
        let get = get.map_err(|error| self.unsent(error))?;
        self.s3.call(get, None).await.map_err(|failed| self.unavailable(failed))
    }

    /// The path of an object. Its key consists of characters that need no encoding.
    fn path(&self, stored: &ObjectRef) -> String {
        format!("{}{}", self.prefix, stored.object())
    }

    fn unsent(&self, error: http::Error) -> Unavailable {
        self.unavailable(Failed::Unanswered(error.into()))
    }

    fn unavailable(&self, failed: Failed) -> Unavailable {
        let bucket = self.bucket.clone();
        match failed {
            Failed::Refused(refused) if refused.status == 404 => {
                Unavailable::Missing { bucket, source: refused.into() }
            }
            Failed::Refused(refused) if refused.status == 403 => {
                Unavailable::Forbidden { bucket, source: refused.into() }
            }
            failed => Unavailable::Failed { bucket, source: failed.into() },
        }
    }
}

/// Why an object was not stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// There is no such object or bucket.
    #[error(
        "the bucket {bucket} or the object in it does not exist; check that the bucket is the one of \
         this stack, and how long it keeps objects"
    )]
    Missing {
        /// The name of the bucket.
        bucket: String,
        /// The answer of S3.
        #[source]
        source: runtime::Error,
    },
    /// The function's role may not use the bucket. This is also what S3 answers if an object does
    /// not exist and the role may not list the bucket, as those of the template may not.
    #[error(
        "the bucket {bucket} refused access; check the function's role and the bucket's policy against \
         template.yaml, and whether the object still exists"
    )]
    Forbidden {
        /// The name of the bucket.
        bucket: String,
        /// The answer of S3.
        #[source]
        source: runtime::Error,
    },
    /// S3 did not answer, or answered with another error.
    #[error("the bucket {bucket} is unavailable; if this repeats, check the status of S3")]
    Failed {
        /// The name of the bucket.
        bucket: String,
        /// The error.
        #[source]
        source: runtime::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_async::rt::sleep::TokioSleep;
    use aws_smithy_async::time::StaticTimeSource;
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::retry::RetryConfig;
    use aws_types::region::Region;

    use super::*;

    /// A connection that answers as it is told, and then with 200, and keeps what was asked.
    #[derive(Clone, Debug, Default)]
    struct Scripted {
        answers: Arc<Mutex<Vec<(u16, &'static str)>>>,
        asked: Arc<Mutex<Vec<HttpRequest>>>,
    }

    impl HttpConnector for Scripted {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.asked.lock().unwrap().push(request);
            let (status, body) = self.answers.lock().unwrap().pop().unwrap_or((200, "{}"));
            let status = status.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
        }
    }

    impl Scripted {
        fn answering(answers: &[(u16, &'static str)]) -> Self {
            let answers = answers.iter().rev().copied().collect();
            Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() }
        }

        fn store(&self, region: &'static str, bucket: &str, endpoint: Option<&str>) -> ObjectStore {
            let connection = SharedHttpConnector::new(self.clone());
            let credentials =
                Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test");
            let mut aws = SdkConfig::builder()
                .region(Region::new(region))
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .http_client(http_client_fn(move |_, _| connection.clone()))
                .sleep_impl(TokioSleep::new())
                .retry_config(RetryConfig::standard().with_initial_backoff(Duration::ZERO))
                .time_source(StaticTimeSource::new(
                    UNIX_EPOCH + Duration::from_secs(1_795_514_400),
                ));
            aws.set_endpoint_url(endpoint.map(str::to_owned));
            ObjectStore::new(&aws.build(), bucket)
        }

        fn asked(&self) -> Vec<String> {
            let asked = self.asked.lock().unwrap();
            asked.iter().map(|r| format!("{} {}", r.method(), r.uri())).collect()
        }
    }

    /// The reference to an object with the content `{}`.
    fn stored() -> ObjectRef {
        let json = r#"{"object":"bodies/2026-11-24/a-1",
            "sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;
        serde_json::from_str(json).unwrap()
    }

    /// The signatures are those that botocore makes of the same requests.
    #[tokio::test]
    async fn signs_what_it_sends() {
        let s3 = Scripted::default();
        let store = s3.store("eu-central-1", "bodies", None);
        store.put(&stored(), "{}".into()).await.unwrap();
        assert_eq!(store.get(&stored()).await.unwrap(), b"{}");
        let host = "https://bodies.s3.eu-central-1.amazonaws.com";
        let url = format!("{host}/bodies/2026-11-24/a-1");
        assert_eq!(s3.asked(), [format!("PUT {url}"), format!("GET {url}")]);
        let asked = s3.asked.lock().unwrap();
        for (request, signed, signature) in [
            (
                &asked[0],
                "content-type;host",
                "6a1d6afc5f09602afad6fcc33a7004b22aeae698ae032b14a89f21513afa7691",
            ),
            (&asked[1], "host", "f9f185f82c21e7b52556439c17ec2f7fe6734482853fb21680e52b763468709c"),
        ] {
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/s3/aws4_request, \
                 SignedHeaders={signed};x-amz-content-sha256;x-amz-date;x-amz-security-token, \
                 Signature={signature}"
            );
            assert_eq!(request.headers().get("authorization"), Some(&*expected));
        }
        let hash = asked[0].headers().get("x-amz-content-sha256");
        assert_eq!(hash, Some(stored().sha256()));
        assert_eq!(asked[0].headers().get("content-type"), Some("application/json"));
        assert_eq!(asked[0].body().bytes(), Some(&b"{}"[..]));
    }

    #[tokio::test]
    async fn finds_the_bucket_in_every_partition_and_at_other_endpoints() {
        for (region, bucket, endpoint, url) in [
            ("cn-north-1", "b", None, "https://b.s3.cn-north-1.amazonaws.com.cn/"),
            ("us-gov-west-1", "b", None, "https://b.s3.us-gov-west-1.amazonaws.com/"),
            ("eusc-de-east-1", "b", None, "https://b.s3.eusc-de-east-1.amazonaws.eu/"),
            ("us-isob-east-1", "b", None, "https://b.s3.us-isob-east-1.sc2s.sgov.gov/"),
            ("us-east-1", "a.b", None, "https://s3.us-east-1.amazonaws.com/a.b/"),
            ("us-east-1", "b", Some("http://127.0.0.1:9/"), "http://127.0.0.1:9/b/"),
        ] {
            let s3 = Scripted::default();
            s3.store(region, bucket, endpoint).get(&stored()).await.unwrap();
            assert_eq!(s3.asked(), [format!("GET {url}bodies/2026-11-24/a-1")]);
        }
    }

    #[tokio::test]
    async fn repeats_what_may_succeed_twice_and_nothing_else() {
        const DENIED: &str = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
        const NO_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>";
        for (answers, attempts, error) in [
            (&[(503, "<Code>SlowDown</Code>"), (500, "")][..], 3, None),
            (&[(400, r#"{"__type":"com.amazonaws#ThrottlingException"}"#)], 2, None),
            (
                &[(503, ""), (503, ""), (503, "<Code>SlowDown</Code>")],
                3,
                Some(
                    "is unavailable; if this repeats, check the status of S3: status 503, SlowDown",
                ),
            ),
            (
                &[(403, DENIED)],
                1,
                Some("whether the object still exists: status 403, AccessDenied"),
            ),
            (&[(404, NO_KEY)], 1, Some("how long it keeps objects: status 404, NoSuchKey")),
            (&[(400, "<html>")], 1, Some("check the status of S3: status 400")),
        ] {
            let s3 = Scripted::answering(answers);
            let outcome = s3.store("us-east-1", "b", None).put(&stored(), "{}".into()).await;
            assert_eq!(s3.asked().len(), attempts, "{answers:?}");
            let said = outcome.err().map(|error| runtime::chain(&error));
            match error {
                None => assert_eq!(said, None),
                Some(error) => {
                    let said = said.unwrap();
                    assert!(said.starts_with("the bucket b ") && said.ends_with(error), "{said}");
                }
            }
        }
    }
}

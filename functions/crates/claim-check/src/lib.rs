//! The claim check pattern: an S3 bucket for deliveries that exceed the queue's limit.
//!
//! The message contains a reference to the stored delivery. The bucket is optional; without it such
//! a delivery is refused.

use atlassian_connect::delivery::ObjectRef;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_types::SdkConfig;
use contract::variable;
use runtime::environment::optional;

/// The S3 bucket that stores deliveries too large for the queue.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    client: Client,
    bucket: String,
}

impl ObjectStore {
    /// The bucket that the environment names, if any.
    pub fn from_environment(aws: &SdkConfig) -> Option<Self> {
        optional(variable::BODIES_BUCKET).map(|bucket| Self::new(aws, bucket))
    }

    /// A bucket by its name.
    pub fn new(aws: &SdkConfig, bucket: impl Into<String>) -> Self {
        // Only S3 itself has a host name for each bucket.
        let is_local = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .into_iter()
            .any(|name| optional(name).is_some());
        let config = aws_sdk_s3::config::Builder::from(aws).force_path_style(is_local);
        Self { client: Client::from_conf(config.build()), bucket: bucket.into() }
    }

    /// Stores the text of a delivery. Needs `s3:PutObject`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if S3 did not store the object. No message may refer to it then.
    pub async fn put(&self, stored: &ObjectRef, text: String) -> Result<(), Unavailable> {
        let put = self.client.put_object().bucket(&self.bucket).key(stored.object());
        let put = put.content_type("application/json").body(ByteStream::from(text.into_bytes()));
        put.send().await.map(drop).map_err(|error| self.unavailable(error))
    }

    /// Fetches the text of a delivery. Needs `s3:GetObject`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if S3 did not answer, or the object does not exist.
    pub async fn get(&self, stored: &ObjectRef) -> Result<Vec<u8>, Unavailable> {
        let get = self.client.get_object().bucket(&self.bucket).key(stored.object()).send();
        let object = get.await.map_err(|error| self.unavailable(error))?;
        let bytes = object.body.collect().await.map_err(|error| self.unavailable(error))?;
        Ok(bytes.to_vec())
    }

    fn unavailable(&self, source: impl Into<runtime::Error>) -> Unavailable {
        Unavailable { bucket: self.bucket.clone(), source: source.into() }
    }
}

/// S3 did not answer, or refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "the bucket {bucket} is unavailable; check that the bucket and the object exist, and that the \
     function's role may use them"
)]
pub struct Unavailable {
    /// The name of the bucket.
    pub bucket: String,
    /// The error of the SDK.
    #[source]
    pub source: runtime::Error,
}

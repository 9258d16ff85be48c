//! Deliveries that are too long for a queue, in a bucket.
//!
//! The pattern is known as claim check: the message says where the delivery is. A bucket is needed
//! for nothing else, so without one such a delivery is refused.

use atlassian_connect::delivery::Stored;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_types::SdkConfig;
use contract::variable;
use runtime::environment::optional;

/// A bucket of deliveries.
#[derive(Clone, Debug)]
pub struct Bodies {
    client: Client,
    bucket: String,
}

impl Bodies {
    /// The bucket that the template names, if it does.
    pub fn from_environment(aws: &SdkConfig) -> Option<Self> {
        optional(variable::BODIES_BUCKET).map(|bucket| Self::new(aws, bucket))
    }

    /// A bucket by its name.
    pub fn new(aws: &SdkConfig, bucket: impl Into<String>) -> Self {
        // Anything but S3 itself has one name for all buckets.
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
    /// [`Unavailable`], and then nobody may be told where it is.
    pub async fn put(&self, stored: &Stored, text: String) -> Result<(), Unavailable> {
        let put = self.client.put_object().bucket(&self.bucket).key(stored.object());
        let put = put.content_type("application/json").body(ByteStream::from(text.into_bytes()));
        put.send().await.map(drop).map_err(|error| self.unavailable(error))
    }

    /// The text of a delivery. Needs `s3:GetObject`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], also if it is not there.
    pub async fn get(&self, stored: &Stored) -> Result<Vec<u8>, Unavailable> {
        let get = self.client.get_object().bucket(&self.bucket).key(stored.object()).send();
        let object = get.await.map_err(|error| self.unavailable(error))?;
        let bytes = object.body.collect().await.map_err(|error| self.unavailable(error))?;
        Ok(bytes.to_vec())
    }

    fn unavailable(&self, source: impl Into<runtime::Error>) -> Unavailable {
        Unavailable { bucket: self.bucket.clone(), source: source.into() }
    }
}

/// The bucket did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "the bucket {bucket} is unavailable; check that it exists, what it still holds, and what the \
     function's role allows"
)]
pub struct Unavailable {
    /// The bucket.
    pub bucket: String,
    /// What the SDK says.
    #[source]
    pub source: runtime::Error,
}

//! The configuration that all AWS SDK clients of a function share.
//!
//! Lambda puts region and credentials into the environment, so the loaders of `aws-config`
//! (profiles, SSO, STS, instance metadata) would find nothing here.

pub mod signed;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::environment::{optional, required};
use crate::{Error, https};

/// The timeout of one attempt of an AWS call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The timeout of an AWS call with all its attempts. A receiver makes two calls, and has ten
/// seconds.
pub const CALL_TIMEOUT: Duration = Duration::from_millis(4500);

/// Reads the configuration of AWS's SDK clients from the variables that Lambda sets.
///
/// An attempt of a call may take two seconds, and a call 4.5 seconds.
///
/// `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` replace AWS's endpoints, as the SDKs'
/// reference guide says.
///
/// # Errors
///
/// Fails if region or credentials are missing.
pub fn config() -> Result<SdkConfig, Error> {
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        optional("AWS_SESSION_TOKEN"),
        None,
        "Lambda",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https::amazon()?)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(CALL_TIMEOUT)
                .build(),
        )
        .service_config(Endpoints);
    config.set_endpoint_url(optional("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// The endpoint of one service, from `AWS_ENDPOINT_URL_<SERVICE>`.
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace(' ', "_");
        optional(&format!("{}_{service}", key.env()))
    }
}

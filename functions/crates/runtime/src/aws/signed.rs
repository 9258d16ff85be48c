//! AWS calls without an SDK: one signed HTTP request each.
//!
//! An SDK is up to a megabyte of every function that links it, which is a lot for one or two calls.
//! Connections, timeouts and retries are those of the configuration that the SDK clients share.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT};
use serde::Deserialize;
use serde_json::Value;

use crate::Error;

/// A service of AWS that is called without its SDK.
#[derive(Clone, Debug)]
pub struct Service {
    aws: SdkConfig,
    name: &'static str,
    endpoint: String,
    send: Operation<HttpRequest, Content, Refusal>,
}

impl Service {
    /// A service by its name in signatures, at the URL of its endpoint.
    pub fn new(aws: &SdkConfig, name: &'static str, endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/');
        let mut private = Layer::new("private");
        private.store_put(SensitiveOutput);
        let mut send = Operation::builder()
            .service_name(name)
            .operation_name("signed request")
            .endpoint_url(endpoint)
            // Signed before it is sent: a signature is valid for longer than all attempts take.
            .no_auth()
            .standard_retry(&aws.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(Throttled)
            .timeout_config(aws.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .with_connection_poisoning()
            .runtime_plugin(StaticRuntimePlugin::new().with_config(private.freeze()));
        if let Some(version) = aws.behavior_version() {
            send = send.behavior_version(version);
        }
        if let Some(client) = aws.http_client() {
            send = send.http_client(client);
        }
        if let Some(sleep) = aws.sleep_impl() {
            send = send.sleep_impl(sleep);
        }
        if let Some(time) = aws.time_source() {
            send = send.time_source(time);
        }
        let send = send.serializer(Ok).deserializer(read).build();
        Self { aws: aws.clone(), name, endpoint: endpoint.to_owned(), send }
    }

    /// A service at its endpoint in the configuration's region, or at the one that the configuration
    /// names. `id` is its id in AWS's "Service-specific endpoints".
    pub fn at_region(aws: &SdkConfig, id: &str, name: &'static str) -> Self {
        let region = aws.region().map_or("", AsRef::as_ref);
        let regional = || format!("https://{name}.{region}.{}", domain(region));
        Self::new(aws, name, &configured_endpoint(aws, id).unwrap_or_else(regional))
    }

    /// Calls an operation of a service that speaks JSON (Smithy, "AWS JSON 1.1 protocol"), and returns
    /// the JSON of a successful answer.
    ///
    /// # Errors
    ///
    /// Returns [`Failed`] if the service refused, or did not answer in time.
    pub async fn call_json(&self, operation: &str, input: &Value) -> Result<Vec<u8>, Failed> {
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", operation)
            .body(input.to_string().into_bytes())
            .map_err(|error| Failed::Unanswered(error.into()))?;
        self.call(request, None).await
    }

    /// Signs and sends a request, whose URI is a path below the endpoint. Returns the content of a
    /// successful answer.
    ///
    /// `sha256` is the hash of the body in hexadecimal, if it is known. AWS refuses a body with
    /// another hash.
    ///
    /// # Errors
    ///
    /// Returns [`Failed`] if the service refused, or did not answer in time.
    pub async fn call(
        &self,
        request: Request<Vec<u8>>,
        sha256: Option<&str>,
    ) -> Result<Vec<u8>, Failed> {
        let signed = self.signed(request, sha256).await.map_err(Failed::Unanswered)?;
        match self.send.invoke(signed).await {
            Ok(Content(content)) => Ok(content),
            Err(SdkError::ServiceError(refused)) => Err(Failed::Refused(refused.into_err())),
            Err(error) => Err(Failed::Unanswered(error.into())),
        }
    }

    async fn signed(
        &self,
        mut request: Request<Vec<u8>>,
        sha256: Option<&str>,
    ) -> Result<HttpRequest, Error> {
        let provider = self.aws.credentials_provider().ok_or("there are no AWS credentials")?;
        let identity = provider.provide_credentials().await?.into();
        let mut settings = SigningSettings::default();
        // As S3 wants it. Other services have no path that could differ.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.aws.region().ok_or("there is no AWS region")?.as_ref())
            .name(self.name)
            .time(self.aws.time_source().map_or_else(SystemTime::now, |time| time.now()))
            .settings(settings)
            .build()?
            .into();
        let agent = concat!("atlassian-hooks/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, agent.parse()?);
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| Ok((name.as_str(), value.to_str()?)))
            .collect::<Result<_, Error>>()?;
        let signable = SignableRequest::new(
            request.method().as_str(),
            format!("{}{}", self.endpoint, request.uri()),
            headers.into_iter(),
            sha256.map_or(SignableBody::Bytes(request.body()), |sha256| {
                SignableBody::Precomputed(sha256.to_owned())
            }),
        )?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.map(SdkBody::from).try_into()?)
    }
}

/// The endpoint of a service that the configuration names, if it names one: `AWS_ENDPOINT_URL`,
/// with the service's id or without. `id` is its id in AWS's "Service-specific endpoints".
pub fn configured_endpoint(aws: &SdkConfig, id: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = aws.service_config().zip(key.ok()).and_then(|(all, key)| all.load_config(key));
    own.or_else(|| aws.endpoint_url().map(str::to_owned))
}

/// The domain of AWS's services in a region, as in `s3.eu-central-1.amazonaws.com`.
///
/// AWS General Reference, "AWS service endpoints", and the documentation of each partition.
pub fn domain(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
    ];
    let partition = PARTITIONS.into_iter().find(|(prefix, _)| region.starts_with(prefix));
    partition.map_or("amazonaws.com", |(_, domain)| domain)
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The service refused it.
    #[error(transparent)]
    Refused(Refusal),
    /// The request could not be sent, or there was no answer in time.
    #[error("the request was not answered")]
    Unanswered(#[source] Error),
}

/// The answer of a service that refused a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's code for the error, such as `AccessDenied`.
    pub code: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, ", {code}"))
    }
}

impl std::error::Error for Refusal {}

/// The content of an answer. It prints nothing, because it may be private.
struct Content(Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

fn read(response: &HttpResponse) -> Result<Content, OrchestratorError<Refusal>> {
    let content = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(Content(content.to_vec()));
    }
    let code = code(&String::from_utf8_lossy(content));
    Err(OrchestratorError::operation(Refusal { status: response.status().as_u16(), code }))
}

/// Retries what a service refused because there was too much of it, which need not be a 5xx.
#[derive(Debug)]
struct Throttled;

impl ClassifyRetry for Throttled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let refusal = error.and_then(|error| error.as_operation_error()?.downcast_ref::<Refusal>());
        let code = refusal.and_then(|refusal| refusal.code.as_deref());
        if code.is_some_and(|code| THROTTLING.contains(&code)) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "Throttled"
    }
}

/// The codes of S3 and of KMS.
const THROTTLING: [&str; 4] =
    ["LimitExceededException", "RequestTimeout", "SlowDown", "ThrottlingException"];

/// The code in an error: of S3 in XML (Amazon S3 API Reference, "Error responses"), of services that
/// speak JSON in a member.
fn code(document: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        #[serde(rename = "__type")]
        kind: String,
    }
    let kind = serde_json::from_str(document).map(|Problem { kind }| kind).unwrap_or_default();
    let code = match document.split_once("<Code>") {
        Some((_, rest)) => rest.split_once("</Code>")?.0,
        // It can have a namespace before it.
        None => kind.rsplit('#').next().filter(|code| !code.is_empty())?,
    };
    let is_plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then(|| code.to_owned())
}

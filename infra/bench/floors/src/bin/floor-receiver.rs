//! The floor of a receiver: a function behind an API that sends the body of each request to a queue, and
//! does nothing else. The client of SQS has the configuration that a first program would give it.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::Client;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use lambda_http::{Body, Error, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sqs = Client::new(&config()?);
    let queue = variable("QUEUE_URL")?;
    lambda_http::run(service_fn(async |request: Request| {
        let Body::Text(body) = request.into_body() else {
            return Err(Error::from("the body is no text; send one"));
        };
        sqs.send_message().queue_url(&queue).message_body(body).send().await?;
        Ok::<_, Error>(Response::builder().status(204).body(Body::Empty)?)
    }))
    .await
}

fn config() -> Result<SdkConfig, Error> {
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "Lambda",
    );
    let mut tls = TlsContext::builder();
    if let Ok(path) = variable("AWS_CA_BUNDLE") {
        tls = tls.with_trust_store(TrustStore::empty().with_pem_certificate(std::fs::read(path)?));
    }
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.build()?)
        .build_https();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(variable("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .endpoint_url(variable("AWS_ENDPOINT_URL_SQS")?)
        .build();
    Ok(config)
}

#[expect(clippy::disallowed_methods, reason = "the error names the variable")]
fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("{name} is not set; the benchmark sets it").into())
}

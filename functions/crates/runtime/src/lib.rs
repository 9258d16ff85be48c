//! Shared setup of the Lambda functions: environment variables, AWS client configuration, logs with
//! metrics.
//!
//! Every function starts with [`start`], and reads the variables that the template sets with
//! [`environment`].

pub mod aws;
pub mod environment;
pub mod https;
mod logs;

use std::process::ExitCode;

pub use lambda_runtime::Error;

/// Runs a function until Lambda stops it.
///
/// Logs go to standard output as JSON lines. The runtime is single-threaded: Lambda gives a
/// function one invocation at a time, and a second thread makes each of them cost half as much CPU
/// again.
///
/// A client that a handler brings along, such as `reqwest`, finds a provider of TLS. The AWS clients
/// link ring, so it is ring.
///
/// An error before the first invocation is logged with its causes and ends the process, as Lambda
/// expects.
pub fn start(function: impl Future<Output = Result<(), Error>>) -> ExitCode {
    logs::init();
    // It fails if the handler's `main` has installed another one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(function),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = chain(&*error), "the function could not start");
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, as one line of text.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    // Some errors of the SDK repeat their cause in their own text.
    causes.fold(error.to_string(), |line, cause| {
        let cause = cause.to_string();
        if line.ends_with(&cause) { line } else { format!("{line}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_clients_of_a_handler_a_provider_of_tls() {
        // Without a provider, the variant of reqwest that brings none panics here.
        let started =
            start(async { reqwest::Client::builder().build().map(drop).map_err(Error::from) });
        assert_eq!(started, ExitCode::SUCCESS);
    }
}

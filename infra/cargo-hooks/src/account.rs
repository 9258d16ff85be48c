//! The AWS account of whoever runs a command, and a stack that is deployed in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::service_config::ServiceConfigKey;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use runtime::environment;

use crate::terminal::escaped;

/// Credentials and region, found as the AWS CLI finds them: environment, profile or SSO.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Account {
    /// Profile of the AWS CLI's configuration [default: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region [default: AWS_REGION, or the profile's region]
    #[arg(long)]
    region: Option<String>,
}

/// Which stack is meant: a deployed one, or one that runs on this machine.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StackArgs {
    /// Name of a deployed stack [default: the running local stack]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// Port of the local stack, if several run
    #[arg(long, conflicts_with = "stack")]
    pub(crate) port: Option<u16>,
    #[command(flatten)]
    pub(crate) account: Account,
}

impl Account {
    /// Region and credentials, by the chain that all of AWS's own tools go through.
    pub async fn config(&self) -> SdkConfig {
        let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client);
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        loader.load().await
    }

    /// The region that was named on the command line.
    pub fn region(&self) -> Option<String> {
        self.region.clone()
    }

    /// Whether there is anything that credentials could come from: variables, or files of the AWS CLI.
    /// Finding out asks nobody.
    pub fn is_configured(&self) -> bool {
        let variables = [
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ];
        let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
        self.profile.is_some()
            || variables.iter().any(|name| environment::optional(name).is_some())
            || files.iter().any(|(variable, name)| match environment::optional(variable) {
                Some(path) => Path::new(&path).is_file(),
                None => {
                    std::env::home_dir().is_some_and(|home| home.join(".aws").join(name).is_file())
                }
            })
    }

    /// The stack of this name.
    ///
    /// # Errors
    ///
    /// Fails if there is no such stack, or AWS does not answer.
    pub async fn stack(config: &SdkConfig, name: &str) -> anyhow::Result<Stack> {
        Stack::described(name, &cloudformation(config, name, "DescribeStacks", &[]).await?)
    }

    /// The name in the account of a stack's resource, by its name in `template.yaml`.
    ///
    /// # Errors
    ///
    /// Fails if there is no such stack or resource, or AWS cannot be asked.
    pub async fn resource(config: &SdkConfig, stack: &str, id: &str) -> anyhow::Result<String> {
        let parameters = [("LogicalResourceId", id)];
        let answer = cloudformation(config, stack, "DescribeStackResource", &parameters).await?;
        text_of(&answer, "PhysicalResourceId").with_context(|| {
            format!("the stack {stack} has no {id}; deploy the template of this app to it")
        })
    }
}

/// A deployed stack.
#[derive(Clone, Debug)]
pub struct Stack {
    name: String,
    outputs: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// The stack in CloudFormation's answer to `DescribeStacks`.
    pub(crate) fn described(name: &str, answer: &str) -> anyhow::Result<Self> {
        let document = roxmltree::Document::parse(answer)
            .context("the response of CloudFormation is not XML; try again later")?;
        Ok(Self {
            name: name.to_owned(),
            outputs: members(&document, "OutputKey", "OutputValue"),
            parameters: members(&document, "ParameterKey", "ParameterValue"),
        })
    }

    /// The value of an output, as `template.yaml` declares it.
    ///
    /// # Errors
    ///
    /// Fails if the stack has no such output.
    pub fn output(&self, key: &str) -> anyhow::Result<String> {
        self.declared("output", &self.outputs, key)
    }

    /// The value of a parameter, as `template.yaml` declares it.
    ///
    /// # Errors
    ///
    /// Fails if the stack has no such parameter.
    pub fn parameter(&self, key: &str) -> anyhow::Result<String> {
        self.declared("parameter", &self.parameters, key)
    }

    fn declared(
        &self,
        what: &str,
        all: &BTreeMap<String, String>,
        key: &str,
    ) -> anyhow::Result<String> {
        all.get(key).cloned().with_context(|| {
            format!(
                "the stack {} has no {what} {key}; deploy this app's template to it, or name \
                 another stack",
                self.name
            )
        })
    }
}

/// Asks CloudFormation, whose SDK would be a third of the tool's build.
async fn cloudformation(
    config: &SdkConfig,
    stack: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<String> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", action), ("Version", "2010-05-15"), ("StackName", stack)])
        .extend_pairs(parameters)
        .finish();
    let headers = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
    let (status, text) = post(config, CLOUDFORMATION, &headers, body).await?;
    if !status.is_success() {
        let region = config.region().map_or("no region", Region::as_ref);
        bail!(
            "CloudFormation cannot describe the stack {stack} in {region}: {}; check the stack's \
             name, --region and --profile",
            message(&text).map_or_else(|| status.to_string(), |text| escaped(&text).into_owned()),
        );
    }
    Ok(text)
}

/// A service of AWS that is asked without its SDK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// The name in variables and profiles, as in `AWS_ENDPOINT_URL_CLOUDFORMATION`.
    pub(crate) id: &'static str,
    /// The first label of its hosts.
    pub(crate) host: &'static str,
    /// The name in signatures.
    pub(crate) signing: &'static str,
}

const CLOUDFORMATION: Service =
    Service { id: "CloudFormation", host: "cloudformation", signing: "cloudformation" };

/// Sends a signed request, and returns the status and the text of the answer.
pub(crate) async fn post(
    config: &SdkConfig,
    service: Service,
    headers: &[(&str, &str)],
    body: String,
) -> anyhow::Result<(StatusCode, String)> {
    let region = config
        .region()
        .context("no AWS region is set; name one with --region or AWS_REGION, or in the profile")?;
    let credentials = credentials(config).await?;
    let own = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()?;
    let url = config
        .service_config()
        .and_then(|settings| settings.load_config(own))
        .or_else(|| config.endpoint_url().map(str::to_owned))
        .unwrap_or_else(|| {
            let suffix = if region.as_ref().starts_with("cn-") { ".cn" } else { "" };
            format!("https://{}.{region}.amazonaws.com{suffix}", service.host)
        });
    // The client signs what it sends: a URL always has a path.
    let url = reqwest::Url::parse(&url)
        .with_context(|| format!("{url} is not a URL; correct the endpoint of {}", service.id))?;

    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_ref())
        .name(service.signing)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let request = SignableRequest::new(
        "POST",
        url.as_str(),
        headers.iter().copied(),
        SignableBody::Bytes(body.as_bytes()),
    )?;
    let (signed, _) = sign(request, &params)?.into_parts();

    let client = atlassian_simulator::client()?;
    let mut request = client.post(url.clone()).body(body);
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in signed.headers() {
        request = request.header(name, value);
    }
    let answer = request.send().await.with_context(|| {
        format!("{url} did not answer; is this machine online, and the region right?")
    })?;
    Ok((answer.status(), answer.text().await?))
}

/// The credentials that the chain of AWS's own tools finds.
pub(crate) async fn credentials(config: &SdkConfig) -> anyhow::Result<Credentials> {
    let credentials = match config.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(anyhow::Error::from),
        None => Err(anyhow::anyhow!("no source of credentials")),
    };
    credentials.context(
        "there are no AWS credentials; sign in with `aws sso login`, or name a profile with \
         --profile",
    )
}

/// The values in lists of names and values.
fn members(document: &roxmltree::Document<'_>, key: &str, value: &str) -> BTreeMap<String, String> {
    let members = document.descendants().filter(|node| node.tag_name().name() == "member");
    let named = |node: roxmltree::Node<'_, '_>, name: &str| {
        let child = node.children().find(|child| child.tag_name().name() == name);
        child.map(|child| child.text().unwrap_or_default().to_owned())
    };
    members.filter_map(|node| Some((named(node, key)?, named(node, value)?))).collect()
}

/// What CloudFormation says in place of an answer.
fn message(answer: &str) -> Option<String> {
    text_of(answer, "Message")
}

/// The text of the first element with this name.
fn text_of(answer: &str, name: &str) -> Option<String> {
    let document = roxmltree::Document::parse(answer).ok()?;
    let mut nodes = document.descendants();
    nodes.find(|node| node.tag_name().name() == name)?.text().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
      <DescribeStacksResult><Stacks><member>
        <StackName>hooks</StackName>
        <Parameters><member><ParameterKey>BaseUrl</ParameterKey><ParameterValue/></member>
          <member><ParameterKey>TenantHosts</ParameterKey><ParameterValue>.atlassian.net,.jira.com</ParameterValue></member></Parameters>
        <Outputs>
          <member><OutputKey>TenantsTable</OutputKey><OutputValue>hooks-Tenants&amp;1</OutputValue></member>
          <member><Description>d</Description><OutputKey>TenantsKey</OutputKey><OutputValue>arn:k</OutputValue></member>
        </Outputs>
      </member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;

    #[test]
    fn reads_the_outputs_and_parameters_of_a_stack() {
        let stack = Stack::described("hooks", ANSWER).unwrap();
        assert_eq!(stack.outputs.len(), 2);
        assert_eq!(stack.output("TenantsTable").unwrap(), "hooks-Tenants&1");
        let missing = stack.output("IssueQueueUrl").unwrap_err().to_string();
        assert!(missing.contains("hooks has no output IssueQueueUrl; deploy"), "{missing}");
        assert_eq!(stack.parameter("BaseUrl").unwrap(), "");
        assert_eq!(stack.parameter("TenantHosts").unwrap(), ".atlassian.net,.jira.com");
        let missing = stack.parameter("Kettle").unwrap_err().to_string();
        assert!(missing.contains("hooks has no parameter Kettle; deploy"), "{missing}");
    }

    #[test]
    fn reads_why_there_is_no_answer() {
        let refused = "<ErrorResponse><Error><Code>ValidationError</Code>\
                       <Message>Stack with id x does not exist</Message></Error></ErrorResponse>";
        assert_eq!(message(refused).unwrap(), "Stack with id x does not exist");
        assert_eq!(message("gone"), None);
    }
}

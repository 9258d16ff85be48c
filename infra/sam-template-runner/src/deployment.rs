//! The part of a template that has an effect in a local run.
//!
//! Neither `sam validate` nor cfn-lint notices a misspelt property of an event (`BatchSiz`), so
//! this reader knows every property it accepts. Those with a local effect become a [`Deployment`],
//! those without are skipped by name, and anything else is an error.
//!
//! Resource types and properties are those of the AWS SAM Developer Guide ("AWS SAM resources and
//! properties") and the AWS CloudFormation Template Reference Guide.

mod events;
mod function;
mod http_api;
mod properties;
mod queue;
mod resources;
mod table;
mod unsupported;

pub use events::{EventSource, Integration, Route};
pub use function::Function;
pub use queue::Queue;
pub use table::Table;

use std::collections::BTreeMap;

use serde_json::Value;

use properties::known_keys;
use resources::Resource;
use sam_template::resource_type::{FUNCTION, HTTP_API, QUEUE, TABLE};
use sam_template::{Resolver, TemplateError, parse, plain, pseudo_parameter, section};

/// The account id in ARNs and queue URLs.
pub const ACCOUNT: &str = "000000000000";

/// The id of the HTTP API. There is one address, so all `HttpApi` resources of a template are one
/// API.
pub const API_ID: &str = "local";

/// The region.
pub const REGION: &str = "us-east-1";

/// The addresses of the local services, each as `http://address:port`.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The HTTP API.
    pub http_api: String,
    /// The SQS service.
    pub sqs: String,
    /// The DynamoDB service.
    pub dynamodb: String,
    /// The test double for KMS.
    pub kms: String,
    /// The test double for S3.
    pub s3: String,
}

/// A resolved template.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The queues that functions are invoked from.
    pub event_sources: Vec<EventSource>,
    /// The queues, by logical id.
    pub queues: BTreeMap<String, Queue>,
    /// The tables, by logical id.
    pub tables: BTreeMap<String, Table>,
    /// The outputs of the stack, by name.
    pub outputs: BTreeMap<String, String>,
    /// What does not run here: resources and events, each with its type.
    pub skipped: Vec<String>,
}

impl Deployment {
    /// Reads and resolves a template.
    ///
    /// `parameters` replace the defaults of the template. If the template declares `url_parameter`,
    /// and `parameters` does not set it, its value is the URL of the HTTP API.
    ///
    /// # Errors
    ///
    /// Fails if the template is wrong, or uses what the local stack does not understand.
    pub fn read(
        template: &str,
        parameters: &BTreeMap<String, String>,
        url_parameter: Option<&str>,
        endpoints: &Endpoints,
    ) -> Result<Self, TemplateError> {
        let template = parse(template)?;
        known_keys("template", &template, SECTIONS)?;
        let mut parameters = parameters.clone();
        if let Some(name) = url_parameter
            && section(&template, "Parameters")?.is_some_and(|declared| declared.contains_key(name))
        {
            parameters.entry(name.to_owned()).or_insert_with(|| endpoints.http_api.clone());
        }
        let mut resolver = Resolver::new(&template, PSEUDO_PARAMETERS, &parameters)?;
        let resources = Resource::all(&template, &resolver)?;
        resolver.define(IMPLICIT_HTTP_API, API_ID);
        for resource in &resources {
            resource.define(&mut resolver, endpoints)?;
        }
        let mut deployment = Self {
            functions: BTreeMap::new(),
            routes: Vec::new(),
            event_sources: Vec::new(),
            queues: BTreeMap::new(),
            tables: BTreeMap::new(),
            outputs: outputs(&template, &resolver)?,
            skipped: Vec::new(),
        };
        let unknown = resources.iter().filter(|resource| resource.is_unknown());
        deployment
            .skipped
            .extend(unknown.map(|resource| format!("{} ({})", resource.logical_id, resource.kind)));
        let of_kind = |kind| resources.iter().filter(move |resource| resource.kind == kind);
        for resource in of_kind(HTTP_API) {
            let definition = http_api::read(resource, &resolver)?;
            deployment.routes.extend(definition.routes);
            deployment.skipped.extend(definition.skipped);
        }
        for resource in of_kind(TABLE) {
            let table = table::read(resource, &resolver)?;
            deployment.tables.insert(resource.logical_id.to_owned(), table);
        }
        for resource in of_kind(QUEUE) {
            let queue = queue::read(resource, &resolver, endpoints)?;
            deployment.queues.insert(resource.logical_id.to_owned(), queue);
        }
        // Functions last: their events refer to queues.
        let globals = function::globals(&template)?;
        for resource in of_kind(FUNCTION) {
            let (function, events) = function::read(resource, &globals, &resolver)?;
            deployment.add_events(resource, &function, events, &resolver)?;
            deployment.functions.insert(resource.logical_id.to_owned(), function);
        }
        Ok(deployment)
    }
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// The API that SAM makes for an event without `ApiId`.
const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";

/// The pseudo parameters that have a value here.
const PSEUDO_PARAMETERS: &[(&str, &str)] = &[
    (pseudo_parameter::ACCOUNT_ID, ACCOUNT),
    (pseudo_parameter::PARTITION, "aws"),
    (pseudo_parameter::REGION, REGION),
    (pseudo_parameter::STACK_ID, "arn:aws:cloudformation:us-east-1:000000000000:stack/local/local"),
    (pseudo_parameter::STACK_NAME, "local"),
    (pseudo_parameter::URL_SUFFIX, "amazonaws.com"),
];

fn outputs(
    template: &Value,
    resolver: &Resolver,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut outputs = BTreeMap::new();
    for (name, output) in section(template, "Outputs")?.into_iter().flatten() {
        let place = format!("Outputs.{name}");
        known_keys(&place, output, &["Condition", "Description", "Export", "Value"])?;
        if let Some(condition) = output.get("Condition")
            && !resolver.condition(&place, &plain(&place, condition)?)?
        {
            continue;
        }
        let value = output.get("Value").unwrap_or(&Value::Null);
        if let Some(value) = resolver.resolve(&format!("{place}.Value"), value)? {
            outputs.insert(name.clone(), plain(&place, &value)?);
        }
    }
    Ok(outputs)
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn queue_url(endpoints: &Endpoints, name: &str) -> String {
    format!("{}/{ACCOUNT}/{name}", endpoints.sqs)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  BaseUrl: { Type: String, Default: "" }
  Stage: { Type: String, Default: dev }
Conditions:
  Production: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    CodeUri: .
    MemorySize: 256
    Timeout: 10
    LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: DEBUG, SystemLogLevel: WARN }
    Environment: { Variables: { TABLE: !Ref Tenants, BASE_URL: !Ref BaseUrl, SHARED: global } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: { StageName: $default }
  Tenants:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires, Enabled: true }
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
  Receiver:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: receiver } }
    Properties:
      Role: !GetAtt ReceiverRole.Arn
      Environment: { Variables: { QUEUE_URL: !Ref Issues, SHARED: own } }
      Events:
        Webhook:
          Type: HttpApi
          Properties: { ApiId: !Ref Api, Method: post, Path: /issue-created }
  ReceiverRole:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Anything: !ImportValue goes } }
  Issues:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 180
      SqsManagedSseEnabled: true
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt DeadLetters.Arn
        maxReceiveCount: 5
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${AWS::StackName}-dead" }
  Handler:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: issue-created } }
    Properties:
      Timeout: 30
      Events:
        Deliveries:
          Type: SQS
          Properties:
            Queue: !GetAtt Issues.Arn
            BatchSize: 20
            MaximumBatchingWindowInSeconds: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 4 }
  Paging:
    Type: AWS::SNS::Topic
    Condition: Production
Outputs:
  QueueUrl: { Value: !Ref Issues }
  Pager: { Value: !Ref Paging, Condition: Production }
"#;

    #[test]
    fn reads_a_whole_template() {
        let deployment = read(TEMPLATE).unwrap();

        let receiver = &deployment.functions["Receiver"];
        assert_eq!(receiver.binary, "receiver");
        assert_eq!(receiver.arn, "arn:aws:lambda:us-east-1:000000000000:function:Receiver");
        assert_eq!(receiver.timeout, Duration::from_secs(10));
        assert_eq!(receiver.memory_size, 256);
        assert_eq!(receiver.log_level.as_deref(), Some("DEBUG"));
        assert_eq!(
            receiver.environment,
            variables(&[
                ("BASE_URL", "http://127.0.0.1:8080"),
                ("QUEUE_URL", "http://127.0.0.1:9324/000000000000/Issues"),
                ("SHARED", "own"),
                ("TABLE", "Tenants"),
            ])
        );
        assert_eq!(
            deployment.routes,
            [Route {
                method: "POST".to_owned(),
                path: "/issue-created".to_owned(),
                integration: Integration::Function("Receiver".to_owned()),
                timeout: Duration::from_secs(30),
            }]
        );
        assert_eq!(deployment.functions["Handler"].timeout, Duration::from_secs(30));
        let [source] = deployment.event_sources.as_slice() else { panic!("one event source") };
        assert_eq!((source.function.as_str(), source.queue.as_str()), ("Handler", "Issues"));
        assert_eq!((source.batch_size, source.batching_window.as_secs()), (20, 1));
        assert_eq!(source.maximum_concurrency, Some(4));
        assert!(source.reports_batch_item_failures && source.enabled);
        let outputs = [("QueueUrl", "http://127.0.0.1:9324/000000000000/Issues")];
        assert_eq!(deployment.outputs, variables(&outputs));
    }

    #[test]
    fn makes_attributes_and_requests_as_the_services_take_them() {
        let deployment = read(TEMPLATE).unwrap();

        let queue = &deployment.queues["Issues"];
        assert_eq!(queue.arn, "arn:aws:sqs:us-east-1:000000000000:Issues");
        assert_eq!(queue.attributes["VisibilityTimeout"], "180");
        assert_eq!(queue.attributes["SqsManagedSseEnabled"], "true");
        assert_eq!(
            serde_json::from_str::<Value>(&queue.attributes["RedrivePolicy"]).unwrap(),
            json!({
                "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:local-dead",
                "maxReceiveCount": 5,
            })
        );
        let table = &deployment.tables["Tenants"];
        assert_eq!(
            table.create_table,
            json!({
                "TableName": "Tenants",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            })
        );
        assert_eq!(table.time_to_live, Some(json!({"AttributeName": "expires", "Enabled": true})));
    }

    /// What refers to such a resource gets a name, so that the rest of the app runs.
    #[test]
    fn skips_what_it_does_not_know_by_name() {
        let template = TEMPLATE
            .replace("Type: AWS::SNS::Topic\n    Condition: Production", "Type: AWS::SecretsManager::Secret")
            .replace("SHARED: own", "SECRET: !GetAtt Paging.Id, NAME: !Ref Paging")
            .replace(
                "        Webhook:\n",
                "        Nightly: { Type: Schedule, Properties: { Schedule: rate(1 day) } }\n        Webhook:\n",
            );
        let deployment = read(&template).unwrap();

        let skipped = ["Paging (AWS::SecretsManager::Secret)", "Nightly of Receiver (Schedule)"];
        assert_eq!(deployment.skipped, skipped);
        let variables = &deployment.functions["Receiver"].environment;
        assert_eq!((&*variables["SECRET"], &*variables["NAME"]), ("Paging.Id", "Paging"));
    }

    #[test]
    fn a_given_base_url_stays() {
        let parameters = variables(&[("BaseUrl", "https://example.com"), ("Stage", "prod")]);
        let deployment =
            Deployment::read(TEMPLATE, &parameters, Some("BaseUrl"), &endpoints()).unwrap();

        assert_eq!(deployment.functions["Handler"].environment["BASE_URL"], "https://example.com");
        assert_eq!(deployment.outputs["Pager"], "arn:aws:sns:us-east-1:000000000000:Paging");
    }

    #[test]
    fn refuses_a_misspelt_property_by_its_name() {
        for (written, misspelt, place) in [
            ("BatchSize:", "BatchSiz:", "Handler.Properties.Events.Deliveries.Properties.BatchSiz"),
            ("Method:", "Methode:", "Receiver.Properties.Events.Webhook.Properties.Method"),
            ("VisibilityTimeout:", "Visibility:", "Issues.Properties.Visibility"),
            ("maxReceiveCount:", "maxRecieveCount:", "RedrivePolicy.maxRecieveCount"),
            ("MemorySize:", "Memory:", "Handler.Properties.Memory"),
            ("ApplicationLogLevel:", "LogLevel:", "LoggingConfig.LogLevel"),
            ("KeySchema:", "KeyScheme:", "Tenants.Properties.KeyScheme"),
            ("MaximumConcurrency:", "MaxConcurrency:", "ScalingConfig.MaxConcurrency"),
            ("DeletionPolicy:", "DeletePolicy:", "Tenants.DeletePolicy"),
            ("Outputs:", "Output:", "template.Output"),
        ] {
            let error = read(&TEMPLATE.replace(written, misspelt)).unwrap_err().to_string();

            assert!(error.contains(place), "{misspelt} {error}");
        }
    }

    #[test]
    fn names_the_known_properties_when_it_refuses_one() {
        let error = read(&TEMPLATE.replace("BatchSize:", "BatchSiz:")).unwrap_err();

        let known = "of an SQS event: correct its name or remove it; known are BatchSize, Enabled, \
                     FunctionResponseTypes, MaximumBatchingWindowInSeconds, Queue, ScalingConfig";
        assert!(error.to_string().ends_with(known), "{error}");
    }

    #[test]
    fn refuses_what_the_services_would_refuse() {
        for (written, wrong, problem) in [
            ("BatchSize: 20", "BatchSize: 10001", "not a whole number from 1 to 10000"),
            ("MaximumBatchingWindowInSeconds: 1", "Enabled: true", "more than 10 needs a Maximum"),
            ("[ReportBatchItemFailures]", "[ReportFailures]", "only type of response"),
            ("Queue: !GetAtt Issues.Arn", "Queue: !Ref Issues", "is not the ARN of a queue"),
            ("VisibilityTimeout: 180", "VisibilityTimeout: 29", "raise VisibilityTimeout"),
            ("VisibilityTimeout: 180", "DelaySeconds: 1\n      Tags: []", ""),
            ("Timeout: 30", "Timeout: 901", "not a whole number from 1 to 900"),
            ("ApiId: !Ref Api", "ApiId: !Ref Issues", "is not an HttpApi of this template"),
            ("Path: /issue-created", "Path: issue-created", "starts with `/`"),
            ("Path: /issue-created", "Path: '/{all+}/more'", "nothing can follow"),
            ("StageName: $default", "StageName: prod", "the stage `$default` only"),
            ("SHARED: own", "AWS_REGION: own", "Lambda reserves this variable"),
            ("Type: HttpApi", "Type: HttpApp", "no type of an event that SAM knows"),
            ("Type: AWS::SNS::Topic", "Type: AWS::SNS::Topik", "did you mean `AWS::SNS::Topic`"),
            ("Binary: receiver", "Binari: receiver", "name a binary of the workspace"),
            ("LogFormat: JSON", "LogFormat: json", "must be JSON or Text"),
        ] {
            let changed = TEMPLATE.replace(written, wrong);
            assert_ne!(changed, TEMPLATE, "{written}");
            match (read(&changed), problem) {
                (Ok(_), "") => {}
                (Ok(_), _) => panic!("{wrong} was not refused"),
                (Err(error), problem) => {
                    assert!(!problem.is_empty(), "{wrong}: {error}");
                    assert!(error.to_string().contains(problem), "{error}");
                }
            }
        }
    }

    #[test]
    fn refuses_two_functions_on_one_route() {
        let twice = TEMPLATE.replace(
            "Deliveries:",
            "Again: { Type: HttpApi, Properties: { Method: POST, Path: /issue-created } }\n        \
             Deliveries:",
        );

        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("`POST /issue-created` leads to Handler already"), "{error}");
    }

    /// The API's definition, in place of its other properties.
    const DEFINITION: &str = "Properties:
      StageName: $default
      DefinitionBody:
        openapi: 3.0.1
        info: { title: !Ref AWS::StackName, version: '1.0' }
        paths:
          /$default:
            x-amazon-apigateway-any-method:
              isDefaultRoute: true
              x-amazon-apigateway-integration:
                type: http_proxy
                httpMethod: ANY
                uri: !Ref Server
                payloadFormatVersion: '1.0'
                timeoutInMillis: 20000
                requestParameters: { 'overwrite:path': $request.path }
";

    fn defined(server: &str) -> String {
        let template = TEMPLATE.replace("Properties: { StageName: $default }\n", DEFINITION);
        let parameter = format!("Parameters:\n  Server: {{ Type: String, Default: '{server}' }}\n");
        template.replace("Parameters:\n", &parameter)
    }

    #[test]
    fn reads_the_routes_to_servers_beside_those_of_events() {
        let deployment = read(&defined("http://localhost:3001/")).unwrap();

        let [default, receiver] = &deployment.routes[..] else { panic!("{deployment:?}") };
        let expected = Route {
            method: "ANY".to_owned(),
            path: Route::DEFAULT.to_owned(),
            integration: Integration::Server("http://localhost:3001".to_owned()),
            timeout: Duration::from_secs(20),
        };
        assert_eq!(*default, expected);
        assert_eq!(receiver.integration, Integration::Function("Receiver".to_owned()));

        let nowhere = read(&defined("")).unwrap();
        assert_eq!(nowhere.routes.len(), 1);
        assert_eq!(nowhere.skipped, ["/$default of Api (no server)"]);
    }

    #[test]
    fn refuses_what_a_definition_would_do_elsewhere() {
        let good = defined("https://origin.example.com");
        assert!(read(&good).is_ok());
        for (written, wrong, problem) in [
            ("type: http_proxy", "type: aws_proxy", "events of the type HttpApi"),
            ("httpMethod: ANY", "httpMethod: GET", "set ANY"),
            ("'overwrite:path': $request.path", "'append:header.a': b", "keeps the path"),
            ("/$default:", "/pages:", ""),
            ("/$default:", "/issue-created:", ""),
            ("x-amazon-apigateway-any-method:", "post:", ""),
            ("timeoutInMillis: 20000", "timeoutInMillis: 30001", "from 50 to 30000"),
            ("timeoutInMillis", "timeoutInMilis", "known are"),
            ("        paths:", "        path:", "known are"),
            ("https://origin", "http://origin", "loopback"),
        ] {
            let changed = good.replacen(written, wrong, 1);
            assert_ne!(changed, good, "{written}");
            match (read(&changed), problem) {
                (Ok(_), "") => {}
                (Ok(_), _) => panic!("{wrong} was not refused"),
                (Err(error), problem) => {
                    let error = error.to_string();
                    assert!(!problem.is_empty() && error.contains(problem), "{wrong}: {error}");
                }
            }
        }
        let twice = good.replacen("/$default:", "/issue-created:", 1);
        let twice = twice.replacen("x-amazon-apigateway-any-method:", "post:", 1);
        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("leads to https://origin.example.com already"), "{error}");
    }

    fn read(template: &str) -> Result<Deployment, TemplateError> {
        Deployment::read(template, &BTreeMap::new(), Some("BaseUrl"), &endpoints())
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            http_api: "http://127.0.0.1:8080".to_owned(),
            sqs: "http://127.0.0.1:9324".to_owned(),
            dynamodb: "http://127.0.0.1:8000".to_owned(),
            kms: "http://127.0.0.1:8080".to_owned(),
            s3: "http://127.0.0.1:9090".to_owned(),
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

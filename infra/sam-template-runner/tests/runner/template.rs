//! Whole stacks, from a template to what a client sees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use aws_credential_types::Credentials;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use reqwest::{Method, StatusCode};
use sam_template_runner::{Options, Stack, StackError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{binaries, changed, eventually, is_there};

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  BaseUrl: { Type: String, Default: "" }
  Records: { Type: String, Default: /nowhere }
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    CodeUri: .
    Timeout: 5
    Environment: { Variables: { BASE_URL: !Ref BaseUrl, TABLE: !Ref Tenants } }
Resources:
  Api: { Type: AWS::Serverless::HttpApi, Properties: { StageName: $default } }
  Tenants:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires, Enabled: true }
  Web:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: scripted } }
    Properties:
      Environment: { Variables: { QUEUE_URL: !Ref Issues } }
      Events:
        Any:
          Type: HttpApi
          Properties: { ApiId: !Ref Api, Method: ANY, Path: "/any/{name}" }
        Post: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: POST, Path: /post } }
        Slow:
          Type: HttpApi
          Properties: { ApiId: !Ref Api, Method: POST, Path: /slow, TimeoutInMillis: 500 }
  Handler:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: scripted } }
    Properties:
      Timeout: 1
      Environment: { Variables: { RECORDS: !Ref Records } }
      Events:
        Deliveries:
          Type: SQS
          Properties:
            Queue: !GetAtt Issues.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
  Issues:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 1
      RedrivePolicy: { deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 2 }
  DeadLetters: { Type: AWS::SQS::Queue }
"#;

#[tokio::test]
async fn a_request_reaches_the_function_of_its_route() {
    let stack = Setting::new().start().await.unwrap();

    let request = client()
        .request(Method::PUT, format!("{}/any/a%20b?user=1&user=2", stack.url()))
        .header("content-type", "application/json")
        .body("[1]");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let event: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(event["routeKey"], "ANY /any/{name}");
    assert_eq!(event["rawQueryString"], "user=1&user=2");
    assert_eq!(event["pathParameters"], json!({"name": "a b"}));
    assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    assert_eq!(event["body"], "[1]");
    stack.stop().await;
}

#[tokio::test]
async fn what_no_function_has_comes_from_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let echo = async |request: axum::extract::Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let told = format!("{} {} {:?}", head.method, head.uri, head.headers.get("te"));
        (axum::http::StatusCode::IM_A_TEAPOT, [("x-told", told)], body)
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(echo)).await });
    // Nothing listens there once it is dropped.
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let route = |path: &str, server: &str| {
        format!(
            "'{path}': {{ x-amazon-apigateway-any-method: {{ x-amazon-apigateway-integration: {{ \
             type: http_proxy, httpMethod: ANY, uri: '{server}', \
             requestParameters: {{ 'overwrite:path': $request.path }} }} }} }}"
        )
    };
    let (default, down) =
        (route("/$default", &server), route("/down/{rest+}", &format!("http://{down}")));
    let definition = format!(
        "StageName: $default, DefinitionBody: {{ openapi: 3.0.1, paths: {{ {default}, {down} }} }}"
    );
    let template = changed(TEMPLATE, "StageName: $default", &definition);
    let stack = Setting::new().start_with(&template).await.unwrap();

    let url = format!("{}/a%20b/?c=%7e&c=+", stack.url());
    let request = client().delete(&url).header("te", "trailers").body(&b"\xff"[..]);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-told"], "DELETE /a%20b/?c=%7e&c=+ None");
    assert!(response.headers().contains_key("apigw-requestid"));
    assert_eq!(&*response.bytes().await.unwrap(), b"\xff");
    let response = told(&stack, "/post", json!({"do": "environment"})).await;
    assert_eq!(response.status(), StatusCode::OK, "a function's route goes before");

    let response = client().get(format!("{}/down/a", stack.url())).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    stack.stop().await;
}

#[tokio::test]
async fn functions_know_the_stack_by_their_environment() {
    let stack = Setting::new().start().await.unwrap();

    let answer = told(&stack, "/post", json!({"do": "environment"})).await;
    let variables: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(variables["BASE_URL"], stack.url());
    assert_eq!(variables["TABLE"], "Tenants");
    assert_eq!(variables["QUEUE_URL"], queue_url(&stack, "Issues"));
    for (name, value) in stack.aws_environment() {
        assert_eq!(variables[&name], value.as_str(), "{name}");
    }
    assert!(variables["AWS_ENDPOINT_URL_SQS"] == stack.sqs_endpoint());
    assert!(variables["AWS_ENDPOINT_URL_DYNAMODB"] == stack.dynamodb_endpoint());
    stack.stop().await;
}

#[tokio::test]
async fn the_gateway_refuses_what_api_gateway_refuses() {
    let stack = Setting::new().start().await.unwrap();
    let refused = async |method: Method, path: &str, header: usize, body: usize| {
        let request = client()
            .request(method, format!("{}{path}", stack.url()))
            .header("x-long", "x".repeat(header))
            .body("x".repeat(body));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        (status, body["message"].as_str().map(str::to_owned))
    };
    let is = |status: u16, message: &str| (status, Some(message.to_owned()));

    assert_eq!(refused(Method::POST, "/nowhere", 0, 0).await, is(404, "Not Found"));
    assert_eq!(refused(Method::GET, "/post", 0, 0).await, is(404, "Not Found"));
    let large = is(413, "Request Entity Too Large");
    assert_eq!(refused(Method::POST, "/post", 0, 10 * 1024 * 1024 + 1).await, large);
    // In an event, the same body is a third larger and over Lambda's 6 MB.
    assert_eq!(refused(Method::POST, "/post", 0, 5 * 1024 * 1024).await, large);
    let headers = is(431, "Request Header Fields Too Large");
    assert_eq!(refused(Method::POST, "/post", 10_240, 0).await, headers);
    stack.stop().await;
}

#[tokio::test]
async fn a_function_without_an_answer_is_500_or_503() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Setting::new().start().await.unwrap();
    let message = async |path: &str, act: Value| {
        let response = told(&stack, path, act).await;
        (response.status().as_u16(), response.text().await.unwrap())
    };

    let internal = (500, r#"{"message":"Internal Server Error"}"#.to_owned());
    assert_eq!(message("/post", json!({"do": "fail"})).await, internal);
    assert_eq!(message("/post", json!({"do": "crash"})).await, internal);
    let nonsense = json!({"do": "answer", "with": {"statusCode": "nonsense"}});
    assert_eq!(message("/post", nonsense).await, internal);
    let hang = json!({"do": "hang", "file": folder.path().join("hangs")});
    let unavailable = (503, r#"{"message":"Service Unavailable"}"#.to_owned());
    assert_eq!(message("/slow", hang).await, unavailable);
    let answer = json!({"do": "answer", "with": {"statusCode": 202, "body": "later"}});
    assert_eq!(message("/post", answer).await, (202, "later".to_owned()));
    stack.stop().await;
}

#[tokio::test]
async fn a_message_is_delivered_as_lambda_does_and_deleted() {
    let setting = Setting::new();
    let stack = setting.start().await.unwrap();
    let sqs = sqs(&stack);

    let attribute = MessageAttributeValue::builder().data_type("String").string_value("one");
    let sent = sqs
        .send_message()
        .queue_url(queue_url(&stack, "Issues"))
        .message_body("succeed")
        .message_group_id("tenant")
        .message_attributes("product", attribute.build().unwrap())
        .send()
        .await
        .unwrap();
    let record = setting.record(sent.message_id().unwrap(), 1).await;
    assert_eq!(record["body"], "succeed");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:Issues");
    assert_eq!(record["attributes"]["MessageGroupId"], "tenant");
    assert!(record["attributes"]["SentTimestamp"].is_string(), "{record}");
    assert_eq!(record["messageAttributes"]["product"]["stringValue"], "one");
    eventually("the queue is empty", async || {
        (messages_in(&stack, "Issues").await == [0, 0]).then_some(())
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn only_the_failed_message_of_a_batch_comes_back_and_ends_as_a_dead_letter() {
    let setting = Setting::new();
    // The batch is in the queue before the function exists that takes it.
    let queue_only = changed(TEMPLATE, "BatchSize: 10", "Enabled: false");
    let stack = setting.start_with(&queue_only).await.unwrap();
    let mut batch = sqs(&stack).send_message_batch().queue_url(queue_url(&stack, "Issues"));
    for (id, body) in [("a", "succeed"), ("b", "fail"), ("c", "succeed")] {
        let entry = aws_sdk_sqs::types::SendMessageBatchRequestEntry::builder();
        batch = batch.entries(entry.id(id).message_body(body).build().unwrap());
    }
    let sent = batch.send().await.unwrap();
    stack.stop().await;

    let stack = setting.start().await.unwrap();
    let mut log = stack.subscribe();
    let dead = eventually("the message is a dead letter", async || {
        let received = sqs(&stack).receive_message().queue_url(queue_url(&stack, "DeadLetters"));
        received.send().await.unwrap().messages?.pop()
    })
    .await;
    assert_eq!(dead.body(), Some("fail"));
    let id = |index: usize| sent.successful()[index].message_id();
    assert_eq!(dead.message_id(), Some(id(1)));
    assert_eq!(setting.deliveries_of(id(0)), 1);
    assert_eq!(setting.deliveries_of(id(1)), 2);
    assert_eq!(setting.deliveries_of(id(2)), 1);
    assert_eq!(messages_in(&stack, "Issues").await, [0, 0]);
    let mut notices = std::iter::from_fn(|| log.try_recv().ok()).map(|line| line.text);
    assert!(notices.any(|text| text == "1 of 3 messages failed"));
    stack.stop().await;
}

#[tokio::test]
async fn a_batch_whose_function_fails_comes_back_whole() {
    let setting = Setting::new();
    // Nowhere to write to: the function answers with an error.
    let failing = changed(TEMPLATE, "RECORDS: !Ref Records", "RECORDS: /nowhere/at/all");
    let stack = setting.start_with(&failing).await.unwrap();

    for body in ["one", "two"] {
        let send = sqs(&stack).send_message().queue_url(queue_url(&stack, "Issues"));
        send.message_body(body).send().await.unwrap();
    }
    eventually("both are dead letters", async || {
        (messages_in(&stack, "DeadLetters").await == [2, 0]).then_some(())
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn a_batch_waits_for_its_window_to_fill() {
    let setting = Setting::new();
    let window = "BatchSize: 3\n            MaximumBatchingWindowInSeconds: 20";
    let template = changed(TEMPLATE, "BatchSize: 10", window);
    // Failed records would come back before the window ends.
    let template = changed(&template, "VisibilityTimeout: 1", "VisibilityTimeout: 60");
    let stack = setting.start_with(&template).await.unwrap();
    let mut log = stack.subscribe();

    for body in ["succeed", "fail", "succeed"] {
        let send = sqs(&stack).send_message().queue_url(queue_url(&stack, "Issues"));
        send.message_body(body).send().await.unwrap();
    }
    let batch = eventually("a batch was delivered", async || {
        let text = log.try_recv().ok()?.text;
        text.ends_with("messages failed").then_some(text)
    })
    .await;
    assert_eq!(batch, "1 of 3 messages failed");
    stack.stop().await;
}

#[tokio::test]
async fn tables_are_there_and_reached_like_dynamodb() {
    let stack = Setting::new().start().await.unwrap();
    let dynamodb = dynamodb(&stack);

    let table = dynamodb.describe_table().table_name("Tenants").send().await.unwrap();
    let key = table.table.unwrap().key_schema.unwrap();
    assert_eq!(key[0].attribute_name(), "pk");
    let ttl = dynamodb.describe_time_to_live().table_name("Tenants").send().await.unwrap();
    let attribute = ttl.time_to_live_description.unwrap().attribute_name;
    assert_eq!(attribute.as_deref(), Some("expires"));
    stack.stop().await;
}

#[tokio::test]
async fn state_outlives_the_stack_and_queues_follow_the_template() {
    let setting = Setting::new();
    let key = || aws_sdk_dynamodb::types::AttributeValue::S("tenant".to_owned());

    let stack = setting.start().await.unwrap();
    let put = dynamodb(&stack).put_item().table_name("Tenants").item("pk", key());
    put.send().await.unwrap();
    let send = sqs(&stack).send_message().queue_url(queue_url(&stack, "DeadLetters"));
    send.message_body("kept").send().await.unwrap();
    stack.stop().await;

    let template = changed(TEMPLATE, "VisibilityTimeout: 1", "VisibilityTimeout: 7");
    let closed = "RedriveAllowPolicy: { redrivePermission: denyAll } # {";
    let template = changed(&template, "RedrivePolicy: { dead", closed);
    let stack = setting.start_with(&template).await.unwrap();
    let get = dynamodb(&stack).get_item().table_name("Tenants").key("pk", key());
    assert!(get.send().await.unwrap().item.is_some());
    let receive = sqs(&stack).receive_message().queue_url(queue_url(&stack, "DeadLetters"));
    let received = receive.send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("kept"));
    let attributes = sqs(&stack).get_queue_attributes();
    let attributes = attributes
        .queue_url(queue_url(&stack, "Issues"))
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "7");
    assert_eq!(attributes.get(&QueueAttributeName::RedrivePolicy), None);
    stack.stop().await;

    let other_key = changed(TEMPLATE, ": pk", ": tenant");
    let error = setting.start_with(&other_key).await.unwrap_err();
    assert!(matches!(error, StackError::OtherKey { .. }), "{error:?}");
}

#[tokio::test]
async fn one_folder_is_for_one_stack() {
    let setting = Setting::new();
    let stack = setting.start().await.unwrap();

    let error = setting.start().await.unwrap_err();
    assert!(matches!(error, StackError::StateInUse { .. }), "{error:?}");
    stack.stop().await;
    setting.start().await.unwrap().stop().await;
}

#[tokio::test]
async fn a_reload_runs_new_binaries_and_keeps_everything_else() {
    let setting = Setting::new();
    let folder = setting.folder.path();
    let binary = folder.join("scripted");
    let [old, begun, release] = [binaries().join("scripted"), folder.join("a"), folder.join("b")];
    std::os::unix::fs::symlink(&old, &binary).unwrap();
    let template = TEMPLATE.replace("Timeout: 5", "Timeout: 60");
    let options = Options { binaries: folder.to_owned(), ..setting.options(&template) };
    let stack = Stack::start(options).await.unwrap();
    let send = sqs(&stack).send_message().queue_url(queue_url(&stack, "DeadLetters"));
    send.message_body("kept").send().await.unwrap();

    assert_eq!(stack.reload().await.unwrap(), [""; 0]);
    let described = told(&stack, "/post", json!({"do": "describe"})).await.text().await.unwrap();
    let described: Value = serde_json::from_str(&described).unwrap();
    let act = json!({"do": "meet", "own": begun, "other": release});
    let running = tokio::spawn({
        let request = client().post(format!("{}/post", stack.url()));
        let request = request.header("content-type", "application/json").body(act.to_string());
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    let busy = eventually("it has begun", async || std::fs::read_to_string(&begun).ok()).await;
    assert_eq!(described["process"].to_string(), busy, "the environment is used again");

    // As cargo does it: the new file takes the name of the old one.
    let wrapped = format!("#!/bin/sh\nRELEASE=new exec {}\n", old.display());
    let script = r#"printf %s "$1" > "$2.new" && chmod +x "$2.new" && mv "$2.new" "$2""#;
    let mut replace = std::process::Command::new("sh");
    let replace = replace.args(["-c", script, "sh", &wrapped]).arg(&binary).status().unwrap();
    assert!(replace.success());
    assert_eq!(stack.reload().await.unwrap(), ["Handler", "Web"]);
    let release_of = async || {
        let answer = told(&stack, "/post", json!({"do": "environment"})).await;
        let variables: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        variables.get("RELEASE").cloned()
    };
    assert_eq!(release_of().await, Some(json!("new")));
    std::fs::write(release, "").unwrap();
    assert_eq!(running.await.unwrap(), busy, "it ends in the old binary");
    let busy = busy.parse().unwrap();
    eventually("the old process is gone", async || (!is_there(busy)).then_some(())).await;
    assert_eq!(release_of().await, Some(json!("new")));
    assert_eq!(messages_in(&stack, "DeadLetters").await, [1, 0]);
    assert_eq!(stack.reload().await.unwrap(), [""; 0]);

    std::fs::remove_file(binary).unwrap();
    let error = stack.reload().await.unwrap_err();
    assert!(matches!(error, StackError::MissingBinary { .. }), "{error:?}");
    assert_eq!(release_of().await, Some(json!("new")), "what runs goes on");
    stack.stop().await;
}

#[tokio::test]
async fn a_stack_that_cannot_start_says_what_to_do() {
    let setting = Setting::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let options = Options { listen: address, ..setting.options(TEMPLATE) };
    let error = Stack::start(options).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("port {} is in use", address.port())), "{error}");

    let missing = changed(TEMPLATE, "Binary: scripted", "Binary: elsewhere");
    let error = setting.start_with(&missing).await.unwrap_err().to_string();
    let path = binaries().join("elsewhere");
    assert_eq!(
        error,
        format!(
            "the function Handler has no binary {}: build it with `cargo build --bin elsewhere`",
            path.display()
        )
    );

    let misspelt = changed(TEMPLATE, "BatchSize", "BatchSiz");
    let error = setting.start_with(&misspelt).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("Handler.Properties.Events.Deliveries.Properties.BatchSiz"),
        "{source}"
    );
}

#[tokio::test]
async fn stop_leaves_no_process_and_frees_the_port() {
    let setting = Setting::new();
    let folder = tempfile::tempdir().unwrap();
    let stack = setting.start().await.unwrap();
    let address: SocketAddr = stack.url().trim_start_matches("http://").parse().unwrap();

    let file = folder.path().join("hangs");
    let hanging = told(&stack, "/slow", json!({"do": "hang", "file": file})).await;
    assert_eq!(hanging.status(), StatusCode::SERVICE_UNAVAILABLE);
    let process = eventually("it hangs", async || std::fs::read_to_string(&file).ok()).await;
    let process = process.parse().unwrap();
    assert!(is_there(process));
    stack.stop().await;
    assert!(!is_there(process));
    TcpListener::bind(address).await.unwrap();
}

/// The folders of one test.
struct Setting {
    folder: TempDir,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("records")).unwrap();
        Self { folder }
    }

    async fn start(&self) -> Result<Stack, StackError> {
        self.start_with(TEMPLATE).await
    }

    async fn start_with(&self, template: &str) -> Result<Stack, StackError> {
        Stack::start(self.options(template)).await
    }

    fn options(&self, template: &str) -> Options {
        let path = self.folder.path().join("template.yaml");
        std::fs::write(&path, template).unwrap();
        let records = self.records().to_str().unwrap().to_owned();
        Options {
            template: path,
            binaries: binaries(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            parameters: BTreeMap::from([("Records".to_owned(), records)]),
            url_parameter: Some("BaseUrl".to_owned()),
            variables: BTreeMap::new(),
            state: Some(self.folder.path().join("state")),
            concurrency: 2,
        }
    }

    fn records(&self) -> PathBuf {
        self.folder.path().join("records")
    }

    /// The record that the function got when the message was received for the `count`th time.
    async fn record(&self, message_id: &str, count: usize) -> Value {
        let path = self.records().join(format!("{message_id}-{count}.json"));
        let record =
            eventually("the record arrives", async || std::fs::read_to_string(&path).ok()).await;
        serde_json::from_str(&record).unwrap()
    }

    fn deliveries_of(&self, message_id: &str) -> usize {
        let names = std::fs::read_dir(self.records()).unwrap().map(|entry| entry.unwrap().path());
        names
            .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .filter(|name| name.starts_with(message_id) && Path::new(name).extension().is_some())
            .count()
    }
}

/// The numbers of visible and of received messages in a queue.
async fn messages_in(stack: &Stack, queue: &str) -> [u32; 2] {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let attributes = sqs(stack)
        .get_queue_attributes()
        .queue_url(queue_url(stack, queue))
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    names.map(|name| attributes[&name].parse().unwrap())
}

fn queue_url(stack: &Stack, queue: &str) -> String {
    stack.deployment().queues[queue].url.clone()
}

/// Lets the function behind a path do something.
async fn told(stack: &Stack, path: &str, act: Value) -> reqwest::Response {
    let request = client().post(format!("{}{path}", stack.url()));
    let request = request.header("content-type", "application/json").body(act.to_string());
    request.send().await.unwrap()
}

fn client() -> reqwest::Client {
    // Only the first call of the process installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn sqs(stack: &Stack) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(stack.sqs_endpoint());
    aws_sdk_sqs::Client::from_conf(config.build())
}

fn dynamodb(stack: &Stack) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(stack.dynamodb_endpoint());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

//! Seeded faults: a template with one fault, and the finding that names it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use atlassian_connect::descriptor::Descriptor;
use atlassian_forge::manifest::Manifest;
use atlassian_hooks_template::check::invariants;
use atlassian_hooks_template::configuration::{Configuration, Problem};
use atlassian_hooks_template::plan::Declarations;
use atlassian_hooks_template::{forge, render};
use serde_json::json;

#[test]
fn finds_nothing_in_a_generated_template() {
    let text = render(&descriptor(), &Configuration::default()).unwrap();
    assert_eq!(found(&text), Vec::<String>::new());
}

/// One row a fault: its name, the words that it replaces and by what, and what must be found:
/// the resource, and words of the advice.
#[test]
fn finds_each_seeded_fault_by_its_name() {
    let rows = [
        (
            "wrong Ref",
            "!Ref TenantsTable,",
            "!Ref TenantTable,",
            "Lifecycle",
            "Ref names TenantTable",
        ),
        (
            "wrong GetAtt",
            "!GetAtt IssueCreatedQueue.QueueName",
            "!GetAtt IssueCreatedQueue.Name",
            "IssueCreatedBacklog",
            "GetAtt names IssueCreatedQueue.Name",
        ),
        (
            "unresolved Sub",
            "https://${Api}.execute-api",
            "https://${Apis}.execute-api",
            "BaseUrl",
            "Sub names Apis",
        ),
        (
            "unknown condition",
            "Condition: HasRecord",
            "Condition: HasRecords",
            "DomainRecord",
            "no condition HasRecords",
        ),
        (
            "visibility below six times the timeout",
            "VisibilityTimeout: 180",
            "VisibilityTimeout: 179",
            "IssueCreatedQueue",
            "must be 180 s",
        ),
        (
            "timeout raised, visibility not",
            "Timeout: 30\n",
            "Timeout: 60\n",
            "IssueCreatedQueue",
            "must be 360 s",
        ),
        (
            "no dead-letter queue",
            "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt IssueCreatedDeadLetterQueue.Arn\n        maxReceiveCount: 100",
            "",
            "IssueCreatedQueue",
            "no dead-letter queue",
        ),
        (
            "receives as few as attempts",
            "maxReceiveCount: 100",
            "maxReceiveCount: 5",
            "IssueCreatedQueue",
            "maxReceiveCount must be at least 50",
        ),
        (
            "messages deleted before they are moved",
            "MessageRetentionPeriod: 345600",
            "MessageRetentionPeriod: 18000",
            "IssueCreatedQueue",
            "raise MessageRetentionPeriod",
        ),
        (
            "a handler that attempts nothing",
            "          MAX_ATTEMPTS: \"5\"\n",
            "",
            "IssueCreatedHandler",
            "MAX_ATTEMPTS must say",
        ),
        (
            "dead letters kept as short as letters",
            "MessageRetentionPeriod: 1209600",
            "MessageRetentionPeriod: 345600",
            "IssueCreatedDeadLetterQueue",
            "must be more than the 345600 s",
        ),
        (
            "dead letters deleted with the handler",
            "IssueCreatedDeadLetterQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate",
            "IssueCreatedDeadLetterQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: Delete",
            "IssueCreatedDeadLetterQueue",
            "retain it",
        ),
        (
            "redrive allowed from elsewhere",
            "${AWS::AccountId}:${AWS::StackName}-issue-created\"",
            "${AWS::AccountId}:${AWS::StackName}-page-created\"",
            "IssueCreatedDeadLetterQueue",
            "RedriveAllowPolicy does not name IssueCreatedQueue",
        ),
        (
            "queue in the clear",
            "SqsManagedSseEnabled: true",
            "SqsManagedSseEnabled: false",
            "IssueCreatedQueue",
            "not encrypted",
        ),
        (
            "wide IAM action",
            "Action: sqs:SendMessage",
            "Action: sqs:*",
            "IssueCreatedReceiverRole",
            "must not do sqs:*",
        ),
        (
            "wide IAM resource",
            "Action: sqs:SendMessage\n                Resource: !GetAtt IssueCreatedQueue.Arn",
            "Action: sqs:SendMessage\n                Resource: \"*\"",
            "IssueCreatedReceiverRole",
            "sqs:SendMessage on *",
        ),
        (
            "another handler's queue",
            "Action: sqs:SendMessage\n                Resource: !GetAtt IssueCreatedQueue.Arn",
            "Action: sqs:SendMessage\n                Resource: !GetAtt PageCreatedQueue.Arn",
            "IssueCreatedReceiverRole",
            "sqs:SendMessage on ${PageCreatedQueue.Arn}",
        ),
        (
            "a receiver that writes tenants",
            "Action: dynamodb:GetItem",
            "Action: [dynamodb:GetItem, dynamodb:PutItem]",
            "IssueCreatedReceiverRole",
            "must not do dynamodb:PutItem",
        ),
        (
            "all attributes of a tenant",
            "dynamodb:Attributes:",
            "dynamodb:LeadingKeys:",
            "IssueCreatedReceiverRole",
            "condition on dynamodb:Attributes",
        ),
        (
            "missing permission",
            "                  - sqs:DeleteMessage\n",
            "",
            "IssueCreatedHandlerRole",
            "needs sqs:DeleteMessage",
        ),
        (
            "managed policy",
            "  LifecycleRole:\n    Type: AWS::IAM::Role\n    Properties:\n",
            "  LifecycleRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [arn:aws:iam::aws:policy/AWSLambdaExecute]\n",
            "LifecycleRole",
            "managed policies",
        ),
        (
            "no role at all",
            "      Role: !GetAtt LifecycleRole.Arn\n",
            "",
            "Lifecycle",
            "no role of this template",
        ),
        (
            "role for anybody",
            "Principal: { Service: lambda.amazonaws.com }",
            "Principal: \"*\"",
            "DescriptorRole",
            "AssumeRolePolicyDocument",
        ),
        (
            "missing route",
            "          Properties: { ApiId: !Ref Api, Method: POST, Path: '/uninstalled' }",
            "          Properties: { ApiId: !Ref Api, Method: POST, Path: '/installed' }",
            "the API",
            "POST /uninstalled of the descriptor is missing",
        ),
        (
            "extra route",
            "Path: '/page-created'",
            "Path: '/page-updated'",
            "PageCreatedReceiver",
            "POST /page-updated is not in the descriptor",
        ),
        (
            "batch responses off",
            "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
            "",
            "IssueCreatedHandler",
            "does not report batch item failures",
        ),
        ("memory 64", "MemorySize: 256", "MemorySize: 64", "Descriptor", "MemorySize is 64"),
        (
            "timeout beyond the API's",
            "    Timeout: 10",
            "    Timeout: 60",
            "IssueCreatedReceiver",
            "1 to 29 seconds",
        ),
        ("wrong event type", "Type: SQS", "Type: SNS", "IssueCreatedHandler", "must be a SQS"),
        (
            "TTL attribute that the code does not write",
            "AttributeName: expiresAt",
            "AttributeName: expires_at",
            "TenantsTable",
            "TimeToLiveSpecification must name expiresAt",
        ),
        (
            "tenants that can be deleted",
            "DeletionProtectionEnabled: true",
            "DeletionProtectionEnabled: false",
            "TenantsTable",
            "can be deleted",
        ),
        (
            "tenants without recovery",
            "PointInTimeRecoveryEnabled: true",
            "PointInTimeRecoveryEnabled: false",
            "TenantsTable",
            "cannot be recovered",
        ),
        (
            "a key that can be deleted",
            "Condition: MakesTenantsKey\n    DeletionPolicy: RetainExceptOnCreate",
            "Condition: MakesTenantsKey\n    DeletionPolicy: Delete",
            "TenantsKey",
            "set DeletionPolicy",
        ),
        (
            "a key that never changes",
            "EnableKeyRotation: true",
            "EnableKeyRotation: false",
            "TenantsKey",
            "EnableKeyRotation",
        ),
        (
            "another app's secrets",
            "  StringEquals:\n                    kms:EncryptionContext:app",
            "  StringEquals:\n                    kms:ViaService",
            "LifecycleRole",
            "condition on kms:EncryptionContext:app",
        ),
        (
            "secrets of whatever app",
            "  StringEquals:\n                    kms:EncryptionContext:app: 'com.example.hooks'",
            "  StringEquals:\n                    kms:EncryptionContext:app: 'com.example.other'",
            "LifecycleRole",
            "condition on kms:EncryptionContext:app",
        ),
        (
            "an app that a request need not name",
            "  StringEquals:\n                    kms:EncryptionContext:app",
            "  StringEqualsIfExists:\n                    kms:EncryptionContext:app",
            "LifecycleRole",
            "condition on kms:EncryptionContext:app: StringEquals",
        ),
        (
            "a receiver that cannot read secrets",
            "          QUEUE_URL: !Ref IssueCreatedQueue\n          TENANTS_KEY: !If [MakesTenantsKey, !GetAtt TenantsKey.Arn, !Ref TenantsKeyArn]\n",
            "          QUEUE_URL: !Ref IssueCreatedQueue\n",
            "IssueCreatedReceiver",
            "TENANTS_KEY is not the key of the lifecycle function",
        ),
        (
            "a handler with the variable of another dead-letter queue",
            "DEAD_LETTER_QUEUE_URL: !Ref IssueCreatedDead",
            "DEAD_LETTER_QUEUE_URL: !Ref PageCreatedDead",
            "IssueCreatedHandler",
            "DEAD_LETTER_QUEUE_URL must be IssueCreatedDeadLetterQueue",
        ),
        (
            "a handler that gives up too late",
            "MAX_RECEIVES: \"100\"",
            "MAX_RECEIVES: \"101\"",
            "IssueCreatedHandler",
            "MAX_RECEIVES is not the maxReceiveCount",
        ),
        (
            "a handler that remembers nothing",
            "          IDEMPOTENCY_TABLE: !Ref IdempotencyTable\n",
            "",
            "IssueCreatedHandler",
            "IDEMPOTENCY_TABLE is not a table",
        ),
        (
            "what was handled never expires",
            "AttributeName: expiresAt\n        Enabled: true\n\n  # GET",
            "AttributeName: expires\n        Enabled: true\n\n  # GET",
            "IdempotencyTable",
            "TimeToLiveSpecification must name expiresAt",
        ),
        (
            "wrong handler binary",
            "Binary: issue-created",
            "Binary: issue-updated",
            "IssueCreatedHandler",
            "no function runs the handler issue-created",
        ),
        (
            "queue wired to the wrong handler",
            "QUEUE_URL: !Ref IssueCreatedQueue",
            "QUEUE_URL: !Ref PageCreatedQueue",
            "IssueCreatedReceiver",
            "read by PageCreatedHandler",
        ),
        (
            "another app's key",
            "APP_KEY: 'com.example.hooks'",
            "APP_KEY: 'com.example.other'",
            "Lifecycle",
            "APP_KEY is not the descriptor's key",
        ),
        (
            "events that the descriptor does not have",
            "\"event\":\"page_created\"",
            "\"event\":\"page_removed\"",
            "PageCreatedReceiver",
            "WEBHOOKS is not what the descriptor declares",
        ),
        (
            "a table beside the adopted one",
            "    Condition: MakesTenantsTable\n",
            "",
            "TenantsTable",
            "made whatever TenantsTableName says",
        ),
        (
            "an adopted key that no function has",
            "TENANTS_KEY: !If [MakesTenantsKey, !GetAtt TenantsKey.Arn, !Ref TenantsKeyArn]",
            "TENANTS_KEY: !GetAtt TenantsKey.Arn",
            "Lifecycle",
            "TENANTS_KEY must be ${TenantsKey.Arn} if MakesTenantsKey, else ${TenantsKeyArn}",
        ),
        (
            "a reference to what is not made",
            "TENANTS_TABLE: !If [MakesTenantsTable, !Ref TenantsTable, !Ref TenantsTableName]",
            "TENANTS_TABLE: !If [MakesTenantsTable, !Ref TenantsTableName, !Ref TenantsTable]",
            "Lifecycle",
            "refers to TenantsTable, which is there only if MakesTenantsTable holds",
        ),
        (
            "no permission for the adopted table",
            "!GetAtt TenantsTable.Arn, !Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TenantsTableName}\"]",
            "!GetAtt TenantsTable.Arn, !Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*\"]",
            "LifecycleRole",
            "needs dynamodb:GetItem on ${TenantsTable.Arn} if MakesTenantsTable",
        ),
        (
            "a table is adopted, and another key",
            "- Assert: !Not [!Equals [!Ref TenantsKeyArn, \"\"]]",
            "- Assert: !Not [!Equals [!Ref TenantsTableName, \"\"]]",
            "Rules",
            "a new key cannot decrypt",
        ),
        (
            "commands that find the table that is not used",
            "Value: !If [MakesTenantsTable, !Ref TenantsTable, !Ref TenantsTableName]",
            "Value: !Ref TenantsTableName",
            "TenantsTable",
            "the output TenantsTable must be",
        ),
        (
            "a condition that holds for the adopted table",
            "MakesTenantsTable: !Equals [!Ref TenantsTableName, \"\"]",
            "MakesTenantsTable: !Not [!Equals [!Ref TenantsTableName, \"\"]]",
            "TenantsTable",
            "only then",
        ),
        (
            "a rollback that deletion protection stops",
            "Condition: MakesTenantsTable\n    DeletionPolicy: Retain",
            "Condition: MakesTenantsTable\n    DeletionPolicy: RetainExceptOnCreate",
            "TenantsTable",
            "stop the rollback",
        ),
        (
            "dead letters lost with a replaced queue",
            "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n      QueueName",
            "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Delete\n    Properties:\n      QueueName",
            "IssueCreatedDeadLetterQueue",
            "retain it",
        ),
        (
            "a key for one Region",
            "      MultiRegion: !If [IsMultiRegionKey, true, !Ref AWS::NoValue]\n",
            "",
            "TenantsKey",
            "another Region can never decrypt",
        ),
        (
            "a key that an update cannot keep",
            "MultiRegion: !If [IsMultiRegionKey, true, !Ref AWS::NoValue]",
            "MultiRegion: true",
            "TenantsKey",
            "AWS refuses to change it",
        ),
        (
            "a key for everything in the account",
            "          - Effect: Deny\n            Principal: { AWS: \"*\" }",
            "          - Effect: Allow\n            Principal: { AWS: \"*\" }",
            "TenantsKey",
            "lets others encrypt and decrypt",
        ),
        (
            "secrets of no tenant",
            "                  ForAnyValue:StringEquals: # a data key, or a secret of an earlier release\n                    kms:EncryptionContextKeys: [dataKey, clientKey]\n",
            "",
            "LifecycleRole",
            "condition on kms:EncryptionContextKeys",
        ),
        (
            "secrets of no tenant, because all of no keys are listed",
            "ForAnyValue:StringEquals: # a data key",
            "ForAllValues:StringEquals: # a data key",
            "LifecycleRole",
            "condition on kms:EncryptionContextKeys: ForAnyValue",
        ),
        (
            "secrets of no tenant, because any request names the app",
            "kms:EncryptionContextKeys: [dataKey, clientKey]",
            "kms:EncryptionContextKeys: [app, dataKey, clientKey]",
            "LifecycleRole",
            "condition on kms:EncryptionContextKeys",
        ),
        (
            "data keys under the name of a tenant",
            "kms:EncryptionContext:dataKey: 'data-key *'",
            "kms:EncryptionContext:dataKey: '*'",
            "LifecycleRole",
            "condition on kms:EncryptionContext:dataKey",
        ),
        (
            "no data key can be made",
            "Action: kms:GenerateDataKey\n",
            "Action: kms:Encrypt\n",
            "LifecycleRole",
            "needs kms:GenerateDataKey",
        ),
        (
            "receivers that make data keys",
            "SPECIFIC_ATTRIBUTES\n              - Effect: Allow\n                Action: kms:Decrypt\n",
            "SPECIFIC_ATTRIBUTES\n              - Effect: Allow\n                Action: [kms:Decrypt, kms:GenerateDataKey]\n",
            "IssueCreatedReceiverRole",
            "must not do kms:GenerateDataKey",
        ),
        (
            "receivers that cannot read data keys",
            "dynamodb:Attributes: [clientKey, dataKey, ",
            "dynamodb:Attributes: [clientKey, ",
            "IssueCreatedReceiverRole",
            "condition on dynamodb:Attributes",
        ),
        (
            "a key that makes data keys for everybody",
            "Action: [kms:Decrypt, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt*]",
            "Action: [kms:Decrypt, kms:Encrypt, kms:ReEncrypt*]",
            "TenantsKey",
            "deny kms:Decrypt, kms:Encrypt and kms:GenerateDataKey*",
        ),
        (
            "installed sites that are cut off by a domain",
            "DisableExecuteApiEndpoint: !If [IsApiAddressDisabled, true, false]",
            "DisableExecuteApiEndpoint: !If [HasDomain, true, false]",
            "Api",
            "also after the stack gets a domain",
        ),
        (
            "queue name that leaves no room",
            "QueueName: !Sub \"${AWS::StackName}-issue-created\"",
            "QueueName: !Sub \"${AWS::StackName}-events-of-the-kind-that-somebody-once-called-issue-created\"",
            "IssueCreatedQueue",
            "fewer than 30 of 80",
        ),
    ];
    let good = render(&descriptor(), &Configuration::default()).unwrap();
    assert_caught(&good, &rows, found);
    let long = format!("APP_KEY: 'com.example.hooks'\n          NOTE: '{}'", "x".repeat(4000));
    let findings = found(&good.replacen("APP_KEY: 'com.example.hooks'", &long, 1));
    assert!(findings[0].contains("Lifecycle") && findings[0].contains("4096"), "{findings:?}");
}

/// Of the alarms: the name of the fault, the words that are replaced, what by, the resource that is named,
/// and what is said of it.
#[test]
fn finds_each_seeded_fault_of_the_alarms() {
    let canary = Configuration::parse("template: { canary: true }").unwrap();
    let good = render(&descriptor(), &canary).unwrap();
    assert_eq!(found_with(&canary, &good), Vec::<String>::new());
    let alarm_of = |id: &str| {
        let (_, rest) = good.split_once(&format!("  {id}:\n")).unwrap();
        let end = rest.find("\n\n").unwrap();
        format!("  {id}:\n{}\n", &rest[..end])
    };
    let topic = "        - !If [HasAlarmEmail, !Ref AlarmTopic, !Ref AWS::NoValue]\n";
    let rows = [
        (
            "a handler whose letters tell nobody",
            &*alarm_of("PageCreatedDeadLetters"),
            "",
            "PageCreatedDeadLetterQueue",
            "dead letters tell nobody",
        ),
        (
            "a handler whose backlog tells nobody",
            &*alarm_of("IssueCreatedBacklog"),
            "",
            "IssueCreatedQueue",
            "events that wait tell nobody",
        ),
        (
            "an alarm on another handler's letters",
            "Value: !GetAtt IssueCreatedDeadLetterQueue.QueueName",
            "Value: !GetAtt PageCreatedDeadLetterQueue.QueueName",
            "IssueCreatedDeadLetterQueue",
            "dead letters tell nobody",
        ),
        (
            "letters that latch",
            "(letters >= 1 AND DIFF(letters) > 0)",
            "(letters >= 1)",
            "IssueCreatedDeadLetters",
            "a further one tells nobody",
        ),
        (
            "letters that expire without a word",
            " OR (letters > 0 AND DAY(letters) == 1 AND HOUR(letters) == 8 AND MINUTE(letters) < 10)",
            "",
            "IssueCreatedDeadLetters",
            "expire without a further word",
        ),
        (
            "letters that expire between two reminders",
            "MessageRetentionPeriod: 1209600",
            "MessageRetentionPeriod: 864000",
            "IssueCreatedDeadLetterQueue",
            "deleted 518400 s after it arrived",
        ),
        (
            "an alarm without the topic",
            topic,
            "",
            "IssueCreatedDeadLetters",
            "does not name AlarmTopic,",
        ),
        (
            "an alarm without a topic of one's own",
            "!Ref AlarmTopicArn, !Ref AWS::NoValue]\n      OKActions",
            "!Ref AlarmTopic, !Ref AWS::NoValue]\n      OKActions",
            "IssueCreatedBacklog",
            "does not name AlarmTopicArn",
        ),
        (
            "a description without a command",
            " To see the reason: cargo hooks logs --stack ${AWS::StackName}\"",
            "\"",
            "NotTaken",
            "what to type first",
        ),
        (
            "an alarm that is on without data",
            "TreatMissingData: notBreaching",
            "TreatMissingData: breaching",
            "IssueCreatedDeadLetters",
            "must be notBreaching",
        ),
        (
            "an expression with a metric that is not there",
            "10 * refused > requests",
            "10 * rejected > requests",
            "NotAccepted",
            "names rejected, which is no Id",
        ),
        (
            "an alarm that returns two series",
            "        - Id: requests\n          ReturnData: false\n",
            "        - Id: requests\n",
            "NotAccepted",
            "exactly one entry",
        ),
        (
            "an outage made of 401s",
            "MetricName: 4xx",
            "MetricName: 5xx",
            "the alarms",
            "4xx of AWS/ApiGateway",
        ),
        (
            "throttles of one function only",
            "MetricName: Throttles",
            "MetricName: Errors",
            "the alarms",
            "Throttles of AWS/Lambda",
        ),
        (
            "refused installs that are not counted",
            " || ($.metric = \"InstallRejected\")",
            "",
            "the alarms",
            "an install was refused",
        ),
        (
            "killed functions that are not counted",
            "($.type = \"platform.report\")",
            "($.type = \"platform.start\")",
            "the alarms",
            "a function was killed",
        ),
        (
            "a count that no alarm reads",
            "MetricName: HandlerFailures, MetricValue: \"1\"",
            "MetricName: HandlerFailure, MetricValue: \"1\"",
            "FailedLines",
            "no alarm reads HandlerFailure of",
        ),
        (
            "failures that tell somebody after an hour",
            "MetricName: HandlerFailures\n      Statistic: Sum\n      Period: 300\n      EvaluationPeriods: 1",
            "MetricName: HandlerFailures\n      Statistic: Sum\n      Period: 300\n      EvaluationPeriods: 12",
            "HandlersFail",
            "it takes 3600 s",
        ),
        (
            "a topic that CloudWatch may not send to",
            "Principal: { Service: cloudwatch.amazonaws.com }",
            "Principal: { Service: events.amazonaws.com }",
            "AlarmTopic",
            "CloudWatch may not send to it",
        ),
        (
            "a topic with a key that CloudWatch may not use",
            "      TopicName:",
            "      KmsMasterKeyId: alias/aws/sns\n      TopicName:",
            "AlarmTopic",
            "may not use the key",
        ),
        (
            "a topic that nobody gets",
            &*alarm_of("AlarmSubscription"),
            "",
            "AlarmTopic",
            "nobody subscribes",
        ),
        (
            "a canary that asks an alarm of no stack",
            "AlarmName: !Sub \"${AWS::StackName}-not-accepted\"",
            "AlarmName: !Sub \"${AWS::StackName}-not-served\"",
            "Lifecycle",
            "names the alarm ${AWS::StackName}-not-accepted",
        ),
        (
            "a canary that keeps a handler that fails",
            "        Alarms: [!Ref HandlersFail]",
            "        Alarms: [!Ref NotTaken]",
            "IssueCreatedHandler",
            "every attempt fails would stay",
        ),
    ];
    assert_caught(&good, &rows, |text| found_with(&canary, text));
}

/// With a bucket for long deliveries: the name of the fault, the words that are replaced, what by,
/// the resource that is named, and what is said of it.
#[test]
fn finds_each_seeded_fault_of_a_bucket() {
    let configuration = Configuration::parse("template: { bodies: true }").unwrap();
    let good = render(&descriptor(), &configuration).unwrap();
    assert_eq!(found(&good), Vec::<String>::new());
    let rows = [
        (
            "bodies that expire before their letters",
            "ExpirationInDays: 40",
            "ExpirationInDays: 15",
            "BodiesBucket",
            "more than 28 days",
        ),
        (
            "a bucket that can be public",
            "BlockPublicPolicy: true",
            "BlockPublicPolicy: false",
            "BodiesBucket",
            "could be made public",
        ),
        (
            "a bucket that goes with the stack",
            "  BodiesBucket:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: RetainExceptOnCreate\n",
            "  BodiesBucket:\n    Type: AWS::S3::Bucket\n",
            "BodiesBucket",
            "retain it",
        ),
        (
            "a receiver that writes anywhere",
            "${BodiesBucket.Arn}/bodies/*\"",
            "${BodiesBucket.Arn}/*\"",
            "IssueCreatedReceiverRole",
            "s3:PutObject on ${BodiesBucket.Arn}/*",
        ),
        (
            "a handler that cannot read them",
            "                Action: s3:GetObject\n",
            "                Action: s3:PutObject\n",
            "IssueCreatedHandlerRole",
            "needs s3:GetObject",
        ),
        (
            "permission without a bucket",
            "          BODIES_BUCKET: !Ref BodiesBucket\n          QUEUE_URL",
            "          QUEUE_URL",
            "IssueCreatedReceiverRole",
            "must not do s3:PutObject",
        ),
    ];
    assert_caught(&good, &rows, found);
}

/// With canary deployments: the name of the fault, the words that are replaced, what by, the resource
/// that is named, and what is said of it.
#[test]
fn finds_each_seeded_fault_of_a_canary() {
    let configuration = Configuration::parse("template: { canary: true, release: 3 }").unwrap();
    let good = render(&descriptor(), &configuration).unwrap();
    assert_eq!(found(&good), Vec::<String>::new());
    let rows = [(
        "a timeout that never goes live",
        "    AutoPublishAliasAllProperties: true\n",
        "",
        "IssueCreatedReceiver",
        "set AutoPublishAliasAllProperties",
    )];
    assert_caught(&good, &rows, found);
    // A parameter's new value is not a new text of the template, and a new release is.
    let next = Configuration::parse("template: { canary: true, release: 4 }").unwrap();
    assert!(good.contains("Description: 'Release 3'"), "{good}");
    assert!(render(&descriptor(), &next).unwrap().contains("Description: 'Release 4'"));
}

/// With a server that the app ran on before: the name of the fault, the words that are replaced, what
/// by, the resource that is named, and what is said of it.
#[test]
fn finds_each_seeded_fault_of_an_existing_server() {
    let configuration = Configuration::parse(EXISTING_SERVER).unwrap();
    assert_eq!(configuration.problems(&descriptor()), []);
    let good = render(&descriptor(), &configuration).unwrap();
    assert_eq!(found_with(&configuration, &good), Vec::<String>::new());
    let route = good.split_once("          /$default:\n").unwrap().1;
    let route = route.split_once("      FailOnWarnings").unwrap().0;
    let route = format!("          /$default:\n{route}");
    let webhook = route.replace("/$default", "/issue-created");
    let webhook = webhook.replace("x-amazon-apigateway-any-method", "post");
    let rows = [
        ("no route", &*route, "", "Api", "/$default to the existing server is missing"),
        (
            "a webhook's path shadowed",
            "          /$default:\n",
            &format!("{webhook}          /$default:\n"),
            "Api",
            "post /issue-created besides /$default",
        ),
        (
            "a path for a part of the pages",
            "          /$default:\n",
            "          /{page+}:\n",
            "Api",
            "/{page+} besides",
        ),
        (
            "one method only",
            "            x-amazon-apigateway-any-method:",
            "            get:",
            "Api",
            "missing",
        ),
        ("no default", "isDefaultRoute: true", "isDefaultRoute: false", "Api", "isDefaultRoute"),
        ("a function", "type: http_proxy", "type: aws_proxy", "Api", "type of the route"),
        ("another method", "httpMethod: ANY", "httpMethod: GET", "Api", "httpMethod of the route"),
        (
            "another path",
            "\"overwrite:path\": $request.path",
            "\"overwrite:path\": /",
            "Api",
            "requestParameters of the route",
        ),
        (
            "another server",
            "uri: !Ref ExistingServer",
            "uri: https://other.example.com",
            "Api",
            "leads to https://other.example.com, and the configuration's",
        ),
        (
            "in the clear",
            "Default: https://origin.example.com",
            "Default: http://origin.example.com",
            "Api",
            "not https://",
        ),
        (
            "secrets in the clear",
            "EXISTING_SERVER: !Ref ExistingServer",
            "EXISTING_SERVER: http://origin.example.com",
            "Lifecycle",
            "not https://",
        ),
        (
            "installs that end here",
            "          EXISTING_SERVER: !Ref ExistingServer\n",
            "",
            "Lifecycle",
            "EXISTING_SERVER is missing",
        ),
        (
            "installs to elsewhere",
            "EXISTING_SERVER: !Ref ExistingServer",
            "EXISTING_SERVER: https://other.example.com",
            "Lifecycle",
            "EXISTING_SERVER is https://other.example.com",
        ),
        (
            "known to a receiver",
            "          WEBHOOKS: ",
            "          EXISTING_SERVER: !Ref ExistingServer\n          WEBHOOKS: ",
            "IssueCreatedReceiver",
            "lifecycle function alone",
        ),
        (
            "a definition elsewhere",
            "      StageName: $default\n",
            "      StageName: $default\n      DefinitionUri: api.yaml\n",
            "Api",
            "DefinitionUri hides",
        ),
    ];
    assert_caught(&good, &rows, |text| found_with(&configuration, text));
    // Of an app that does not say that it moves.
    let findings = found(&good);
    for words in ["Api: the definition has the route", "Lifecycle: EXISTING_SERVER names a server"]
    {
        assert!(findings.iter().any(|finding| finding.contains(words)), "{words}: {findings:#?}");
    }
    // Of such an app, with routes that only CloudFormation sees.
    let plain = render(&descriptor(), &Configuration::default()).unwrap();
    let stage = "      StageName: $default\n";
    assert!(plain.contains(stage));
    for hidden in [
        "!If [HasDomain, { paths: {} }, { paths: {} }]",
        "{ Fn::Transform: { Name: AWS::Include, Parameters: { Location: s3://a/b } } }",
        "{ paths: !If [HasDomain, {}, {}] }",
        "{ paths: { Fn::Transform: { Name: AWS::Include } } }",
    ] {
        let template =
            plain.replacen(stage, &format!("{stage}      DefinitionBody: {hidden}\n"), 1);
        let findings = found(&template);
        assert!(findings.iter().any(|it| it.contains("hides routes")), "{hidden}: {findings:#?}");
    }
}

const EXISTING_SERVER: &str = "
existingServer: !Ref ExistingServer
Parameters: { ExistingServer: { Type: String, Default: 'https://origin.example.com' } }
";

/// What a configuration can have wrong: the fault, the text, the entry that is named, and what is said
/// of it.
#[test]
fn finds_each_seeded_fault_of_a_configuration() {
    let rows = [
        (
            "misspelt setting",
            "handlers: { issue-created: { memori: 1 } }",
            "handlers.issue-created",
            "unknown field `memori`",
        ),
        ("misspelt section", "Resource: {}", "Resource", "unknown field `Resource`"),
        (
            "no webhook",
            "handlers: { issue-creatd: {} }",
            "handlers.issue-creatd",
            "one of issue-created, page-created",
        ),
        (
            "too little memory",
            "handlers: { issue-created: { memory: 64 } }",
            "handlers.issue-created.memory",
            "128 to 10240",
        ),
        (
            "too long a timeout",
            "handlers: { issue-created: { timeout: 901 } }",
            "handlers.issue-created.timeout",
            "1 to 900",
        ),
        (
            "a large batch at once",
            "handlers: { issue-created: { batchSize: 50 } }",
            "batchSize",
            "batchWindow of at least 1",
        ),
        (
            "less reserved than used",
            "handlers: { issue-created: { maximumConcurrency: 9, reservedConcurrency: 5 } }",
            "reservedConcurrency",
            "throttled",
        ),
        (
            "a variable of the template",
            "handlers: { issue-created: { environment: { QUEUE_URL: x } } }",
            "environment.QUEUE_URL",
            "sets this variable itself",
        ),
        (
            "a variable of AWS",
            "handlers: { issue-created: { environment: { AWS_REGION: x } } }",
            "environment.AWS_REGION",
            "reserves",
        ),
        (
            "a list as a variable",
            "handlers: { issue-created: { environment: { A: [x] } } }",
            "environment.A",
            "one value",
        ),
        (
            "a statement without a resource",
            "handlers: { issue-created: { statements: [{ Effect: Allow, Action: 's3:GetObject' }] } }",
            "statements[0]",
            "Resource",
        ),
        (
            "an unknown product",
            "handlers: { issue-created: { calls: [trello] } }",
            "calls[0]",
            "unknown variant `trello`",
        ),
        (
            "an id of the template",
            "Resources: { TenantsTable: { Type: 'AWS::SNS::Topic' } }",
            "Resources.TenantsTable",
            "uses this name itself",
        ),
        (
            "a parameter of the template",
            "Parameters: { LogLevel: { Type: String } }",
            "Parameters.LogLevel",
            "uses this name itself",
        ),
        (
            "a resource without a type",
            "Resources: { Mine: {} }",
            "Resources.Mine",
            "Type is missing",
        ),
        (
            "an id with a hyphen",
            "Resources: { my-table: { Type: 'AWS::SNS::Topic' } }",
            "Resources.my-table",
            "letters and digits",
        ),
        (
            "an existing server in the clear",
            "existingServer: http://origin.example.com",
            "existingServer",
            "must be https://",
        ),
        (
            "an existing server with a path",
            "existingServer: https://origin.example.com/app",
            "existingServer",
            "without a path",
        ),
        (
            "an existing server by default in the clear",
            "existingServer: !Ref Old\nParameters: { Old: { Type: String, Default: 'http://a' } }",
            "Parameters.Old.Default",
            "must be https://",
        ),
        (
            "a receiver that answers nothing",
            "receivers: { reservedConcurrency: 0 }",
            "receivers.reservedConcurrency",
            "at least 1",
        ),
        (
            "a lifecycle function that answers nothing",
            "lifecycle: { reservedConcurrency: 0 }",
            "lifecycle.reservedConcurrency",
            "at least 1",
        ),
        ("a path without slashes", "rolePath: hooks", "rolePath", "slash"),
        (
            "a handler that cannot be named",
            "lifecycle: { handler: Tenant_Changed }",
            "lifecycle.handler",
            "lowercase",
        ),
        (
            "an inspector without a handler",
            "template: { inspector: true }",
            "template.inspector",
            "has the handler inspector",
        ),
    ];
    for (fault, text, place, advice) in rows {
        let problems = match Configuration::parse(text) {
            Ok(configuration) => configuration.problems(&descriptor()),
            Err(problem) => vec![problem],
        };
        let named =
            |problem: &&Problem| problem.place.contains(place) && problem.advice.contains(advice);
        assert!(problems.iter().any(|problem| named(&problem)), "{fault}: {problems:#?}");
        assert_eq!(problems.len(), 1, "{fault}: {problems:#?}");
    }
}

/// What an app adds that does not fit its template, or is not safe: the fault, the configuration, the
/// resource that is named, and what is said of it.
#[test]
fn finds_each_seeded_fault_of_what_an_app_adds() {
    let statement = |action: &str, resource: &str| {
        format!(
            "handlers: {{ issue-created: {{ statements: [{{ Effect: Allow, Action: '{action}', \
             Resource: {resource} }}] }} }}"
        )
    };
    let role = "IssueCreatedHandlerRole";
    let own = |kind: &str, properties: &str| {
        format!("Resources: {{ Mine: {{ Type: '{kind}', Properties: {{ {properties} }} }} }}")
    };
    let rows = [
        ("every action", statement("*", "!Ref AWS::StackId"), role, "allows *"),
        ("every action of a service", statement("s3:*", "'arn:aws:s3:::a'"), role, "allows s3:*"),
        ("the tenants' table", statement("dynamodb:GetItem", "!GetAtt TenantsTable.Arn"), role, "on TenantsTable"),
        ("the tenants' key", statement("kms:Decrypt", "!GetAtt TenantsKey.Arn"), role, "on TenantsKey"),
        ("another handler's queue", statement("sqs:SendMessage", "!GetAtt PageCreatedQueue.Arn"), role, "on PageCreatedQueue"),
        ("a queue by its text", statement("sqs:SendMessage", "!Sub '${PageCreatedDeadLetterQueue.Arn}'"), role, "on PageCreatedDeadLetterQueue"),
        ("an adopted table", statement("dynamodb:GetItem", "!Sub 'arn:aws:dynamodb:us-east-1:1:table/${TenantsTableName}'"), role, "on TenantsTableName"),
        ("an adopted key", statement("kms:Decrypt", "!Ref TenantsKeyArn"), role, "on TenantsKeyArn"),
        ("every table", statement("dynamodb:GetItem", "'*'"), role, "name the resources"),
        ("every key of a Region", statement("kms:Decrypt", "'arn:aws:kms:us-east-1:1:key/*'"), role, "name the resources"),
        ("all but", "handlers: { issue-created: { statements: [{ Effect: Allow, Action: 's3:GetObject', NotResource: a, Resource: b }] } }".to_owned(), role, "NotResource"),
        ("a resource that is not there", statement("s3:GetObject", "!GetAtt Nothing.Arn"), role, "Nothing"),
        ("a variable that leads nowhere", "handlers: { issue-created: { environment: { A: !Ref Nothing } } }".to_owned(), "IssueCreatedHandler", "Nothing"),
        ("an environment that is too large", format!("handlers: {{ issue-created: {{ environment: {{ A: {} }} }} }}", "x".repeat(4000)), "IssueCreatedHandler", "4096"),
        ("a queue that is opened", own("AWS::SQS::QueuePolicy", "Queues: [!Ref IssueCreatedQueue]"), "Mine", "only receivers send"),
        ("a server that is nowhere", "existingServer: !Ref Nothing".to_owned(), "Api", "Nothing"),
        ("a route that is lost", own("AWS::ApiGatewayV2::Route", "ApiId: !Ref Api"), "Mine", "next update removes"),
        ("a second reader", own("AWS::Lambda::EventSourceMapping", "EventSourceArn: !GetAtt PageCreatedQueue.Arn"), "Mine", "only its handler receives"),
        ("a way around the receiver", own("AWS::Lambda::Permission", "FunctionName: !Ref IssueCreatedHandler"), "Mine", "not be verified"),
        ("an own role with every table", own("AWS::IAM::Role", "Policies: [{ PolicyName: x, PolicyDocument: { Statement: [{ Effect: Allow, Action: 'dynamodb:Scan', Resource: '*' }] } }]"), "Mine", "name the resources"),
        ("more reserved than there is", "concurrencyQuota: 100\nhandlers: { issue-created: { reservedConcurrency: 50 } }".to_owned(), "the whole", "concurrencyQuota"),
        ("more handlers than there is", "concurrencyQuota: 4".to_owned(), "the whole", "receivers are throttled"),
        ("more handlers than reservations leave", "concurrencyQuota: 110\nreceivers: { reservedConcurrency: 4 }\nhandlers: { issue-created: { maximumConcurrency: 100 } }".to_owned(), "the whole", "all of the 102"),
        ("too many resources", format!("Resources:\n{}", (0..500).map(|n| format!("  A{n}: {{ Type: 'AWS::SNS::Topic' }}\n")).collect::<String>()), "the whole", "500"),
    ];
    for (fault, text, resource, advice) in rows {
        let configuration = Configuration::parse(&text).unwrap();
        assert_eq!(configuration.problems(&descriptor()), [], "{fault}");
        let template = render(&descriptor(), &configuration).unwrap();
        let findings = found_with(&configuration, &template);
        let named = |finding: &&String| {
            !finding.starts_with("note") && finding.contains(resource) && finding.contains(advice)
        };
        assert!(findings.iter().any(|finding| named(&finding)), "{fault}: {findings:#?}");
    }
}

/// Receivers have what is reserved for them, or what handlers leave of a quota that may be small.
#[test]
fn says_what_handlers_leave_to_receivers() {
    let found = |text: &str| -> Vec<String> {
        let configuration = Configuration::parse(text).unwrap();
        assert_eq!(configuration.problems(&descriptor()), []);
        let template = render(&descriptor(), &configuration).unwrap();
        found_with(&configuration, &template)
    };
    let many = "handlers: { issue-created: { maximumConcurrency: 50 } }";
    let [note] = &found(many)[..] else { panic!("{:?}", found(many)) };
    assert!(note.starts_with("note:") && note.contains("get-account-settings"), "{note}");
    assert_eq!(found(&format!("concurrencyQuota: 100\n{many}")), [""; 0]);
    // The defaults fit the smallest account.
    assert_eq!(found("concurrencyQuota: 10"), [""; 0]);
    let starved = format!("concurrencyQuota: 110\n{}", many.replace("50", "108"));
    assert_eq!(found(&starved).len(), 1, "{:?}", found(&starved));
    let reserved = "receivers: { reservedConcurrency: 3 }\nlifecycle: { reservedConcurrency: 2 }\n";
    assert_eq!(found(&format!("{reserved}{starved}")), [""; 0]);
}

/// Everything that a configuration can say, and nothing is found but what it allows.
#[test]
fn takes_what_an_app_adds() {
    let configuration = Configuration::parse(CONFIGURATION).unwrap();
    assert_eq!(configuration.problems(&descriptor()), []);
    let template = render(&descriptor(), &configuration).unwrap();
    let findings = found_with(&configuration, &template);
    let note = "note: template.yaml: IssueCreatedHandlerRole: may dynamodb:PutItem, dynamodb:Query on \
                ${Notes.Arn}";
    assert_eq!(findings, [note]);
    // A calling handler's permission goes with what it declares.
    let other = Configuration::parse(&CONFIGURATION.replace("    calls: [jira]\n", "")).unwrap();
    assert_ne!(other, configuration);
    let findings = found_with(&other, &template);
    for words in ["set calls", "must not do dynamodb:GetItem", "must not do kms:Decrypt"] {
        assert!(findings.iter().any(|finding| finding.contains(words)), "{words}: {findings:#?}");
    }
    let twice = render(&descriptor(), &configuration).unwrap();
    assert_eq!(twice, template);
}

const CONFIGURATION: &str = "
template: { canary: true, bodies: true, release: 7 }
receivers: { reservedConcurrency: 5 }
concurrencyQuota: 500
tags: { team: hooks }
permissionsBoundary: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/boundary'
rolePath: /hooks/
lifecycle: { handler: tenant-changed, reservedConcurrency: 2 }
handlers:
  issue-created:
    memory: 1024
    timeout: 900
    batchSize: 100
    batchWindow: 5
    maximumConcurrency: 10
    reservedConcurrency: 10
    environment: { NOTES: !Ref Notes, HOOK: !Ref Hook, PLAIN: 'it''s on' }
    statements:
      - { Effect: Allow, Action: [dynamodb:PutItem, dynamodb:Query], Resource: !GetAtt Notes.Arn }
    calls: [jira]
    vpc: { SecurityGroupIds: [sg-1], SubnetIds: !Split [',', !Ref Subnets] }
    layers: ['arn:aws:lambda:us-east-1:123456789012:layer:probe:1']
    logLevel: DEBUG
    alarms: { backlog: 60, deadLetters: 3 }
Parameters:
  Hook: { Type: String, NoEcho: true }
  Subnets: { Type: String, Default: subnet-1 }
Conditions: { IsHooked: !Not [!Equals [!Ref Hook, '']] }
Resources:
  Notes: { Type: 'AWS::DynamoDB::Table', Properties: { BillingMode: PAY_PER_REQUEST } }
  Secret: { Type: 'AWS::SecretsManager::Secret', Condition: IsHooked }
Outputs: { SecretId: { Value: !GetAtt Secret.Id, Condition: IsHooked } }
";

/// A Forge app, with and without a Connect app beside it, and with all that both can have.
#[test]
fn finds_nothing_in_the_template_of_a_forge_app() {
    let manifest = manifest();
    let descriptor = descriptor();
    let both = Declarations { descriptor: Some(&descriptor), manifest: Some(&manifest) };
    let shared = "forge: { endpoints: { changed: { handler: issue-created } } }";
    let everything = "template: { canary: true, bodies: true, release: 7 }\n\
                      receivers: { reservedConcurrency: 5 }\n\
                      concurrencyQuota: 500\n\
                      existingServer: https://origin.example.com\n\
                      tags: { team: hooks }\n\
                      rolePath: /hooks/";
    for declared in [Declarations::from(&manifest), both] {
        for text in ["", shared, everything] {
            let configuration = Configuration::parse(text).unwrap();
            assert_eq!(configuration.problems(declared), []);
            let template = render(declared, &configuration).unwrap();
            assert_eq!(invariants(declared, &configuration, "template.yaml", &template), []);
        }
    }
}

/// Without a descriptor there is nothing of Connect: no tenants, and no function that needs them.
#[test]
fn a_forge_app_has_nothing_of_connect() {
    let template = render(&manifest(), &Configuration::default()).unwrap();
    for word in ["Tenant", "Connect", "connect", "KMS", "Lifecycle:", "Descriptor", "BaseUrl}"] {
        assert!(!template.contains(word), "{word}: {template}");
    }
    for word in ["Events of the Forge app", "from infra/manifest.yml and", "KeySetUrl"] {
        assert!(template.contains(word), "{word}: {template}");
    }
    let connect = render(&descriptor(), &Configuration::default()).unwrap();
    for word in ["Forge", "forge", "manifest", "KeySet"] {
        assert!(!connect.contains(word), "{word}");
    }
}

#[test]
fn refuses_a_configuration_that_a_forge_app_cannot_have() {
    let rows = [
        ("handlers: { changed: { calls: [jira] } }", "handlers.changed.calls", "secret"),
        ("handlers: { change: { timeout: 5 } }", "handlers.change", "one of changed, life"),
        ("lifecycle: { handler: life }", "lifecycle", "preUninstall"),
        ("forge: { endpoints: { change: {} } }", "forge.endpoints.change", "one of changed, life"),
        (
            "forge: { endpoints: { changed: { handler: forge-receiver } } }",
            "forge.endpoints.changed.handler",
            "another function",
        ),
        ("Parameters: { KeySetUrl: { Type: String } }", "Parameters.KeySetUrl", "uses this name"),
    ];
    for (text, place, words) in rows {
        let problems = Configuration::parse(text).unwrap().problems(&manifest());
        let [Problem { place: found, advice }] = &problems[..] else {
            panic!("{text}: {problems:?}")
        };
        assert_eq!(found, place, "{text}");
        assert!(advice.contains(words), "{text}: {advice}");
    }
    let parsed = Configuration::parse("forge: { endpoints: { changed: {} } }").unwrap();
    let [problem] = &parsed.problems(&descriptor())[..] else { panic!() };
    assert!(problem.advice.contains("no endpoint in infra/manifest.yml"), "{problem}");
}

#[test]
fn finds_each_seeded_fault_of_a_forge_app() {
    let manifest = manifest();
    let good = render(&manifest, &Configuration::default()).unwrap();
    let found = |text: &str| -> Vec<String> {
        let findings = invariants(&manifest, &Configuration::default(), "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    };
    let faults = [
        (
            "another event",
            "\"avi:jira:created:issue\"",
            "\"avi:jira:deleted:issue\"",
            "ForgeChangedReceiver",
            "ENDPOINT is not what the manifest declares of the endpoint changed",
        ),
        (
            "another app",
            "app/8db33809-1f32-48bb-8c52-5877dab48107\",\"events",
            "app/8db33809-1f32-48bb-8c52-5877dab48108\",\"events",
            "ForgeChangedReceiver",
            "ENDPOINT is not",
        ),
        (
            "another endpoint's tokens",
            "\"key\":\"changed\"",
            "\"key\":\"life\"",
            "ForgeChangedReceiver",
            "ENDPOINT is not",
        ),
        (
            "key set as a constant",
            "KEY_SET_URL: !Ref KeySetUrl",
            "KEY_SET_URL: https://keys.example.com",
            "ForgeChangedReceiver",
            "must be the parameter KeySetUrl",
        ),
        (
            "key set of another parameter",
            "KEY_SET_URL: !Ref KeySetUrl",
            "KEY_SET_URL: !Ref DomainName",
            "ForgeChangedReceiver",
            "must be the parameter KeySetUrl",
        ),
        (
            "no parameter for the key set",
            "  KeySetUrl:\n",
            "  KeySet:\n",
            "ForgeChangedReceiver",
            "must be the parameter KeySetUrl",
        ),
        (
            "receiver of webhooks",
            "Binary: forge-receiver",
            "Binary: receiver",
            "ForgeChangedReceiver",
            "must lead to a function that runs ForgeReceiver",
        ),
        (
            "route of another endpoint",
            "Path: '/forge/changed'",
            "Path: '/forge/life'",
            "ForgeChangedReceiver",
            "ENDPOINT is not what the manifest declares of the endpoint life",
        ),
        (
            "route that nothing declares",
            "Path: '/forge/changed'",
            "Path: '/forge/other'",
            "the API",
            "POST /forge/changed of the manifest is missing",
        ),
        (
            "another method",
            "Method: POST, Path: '/forge/changed'",
            "Method: ANY, Path: '/forge/changed'",
            "ForgeChangedReceiver",
            "is not in the manifest",
        ),
        (
            "queue of another handler",
            "QUEUE_URL: !Ref ChangedQueue",
            "QUEUE_URL: !Ref LifeQueue",
            "ForgeChangedReceiver",
            "the manifest asks for the handler changed",
        ),
        (
            "role of another endpoint",
            "Role: !GetAtt ChangedEndpointRole.Arn",
            "Role: !GetAtt LifeEndpointRole.Arn",
            "LifeEndpointRole",
            "have different tasks and share a role",
        ),
        (
            "permission on a table",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt ChangedQueue.Arn",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt ChangedQueue.Arn\n              \
             - { Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt IdempotencyTable.Arn }",
            "ChangedEndpointRole",
            "must not do dynamodb:GetItem",
        ),
        (
            "permission to receive",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt ChangedQueue.Arn",
            "                Action: [sqs:SendMessage, sqs:ReceiveMessage]\n                Resource: !GetAtt ChangedQueue.Arn",
            "ChangedEndpointRole",
            "must not do sqs:ReceiveMessage",
        ),
        (
            "no permission to send",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt ChangedQueue.Arn",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt LifeQueue.Arn",
            "ChangedEndpointRole",
            "needs sqs:SendMessage on ${ChangedQueue.Arn}",
        ),
    ];
    assert_caught(&good, &faults, found);
}

/// What is wrong with the role of both worlds' receivers: one reads tenants, and one must not.
#[test]
fn receivers_of_two_senders_cannot_share_a_role() {
    let (descriptor, manifest) = (descriptor(), manifest());
    let both = Declarations { descriptor: Some(&descriptor), manifest: Some(&manifest) };
    let shared = "forge: { endpoints: { changed: { handler: issue-created } } }";
    let configuration = Configuration::parse(shared).unwrap();
    let good = render(both, &configuration).unwrap();
    let found = |text: &str| -> Vec<String> {
        let findings = invariants(both, &configuration, "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    };
    let faults = [
        (
            "Forge events with the role of webhooks",
            "Role: !GetAtt IssueCreatedEndpointRole.Arn",
            "Role: !GetAtt IssueCreatedReceiverRole.Arn",
            "IssueCreatedReceiverRole",
            "have different tasks and share a role",
        ),
        (
            "endpoint on the receiver of webhooks",
            "Binary: forge-receiver",
            "Binary: receiver",
            "ForgeChangedReceiver",
            "runs ForgeReceiver",
        ),
        (
            "webhooks on the receiver of Forge events",
            "Binary: receiver",
            "Binary: forge-receiver",
            "IssueCreatedReceiver",
            "runs Receiver",
        ),
    ];
    assert_caught(&good, &faults, found);
}

/// URLs of signed webhooks, beside a Connect app, a Forge app, and both.
#[test]
fn finds_nothing_in_the_template_of_signed_webhooks() {
    let (descriptor, manifest) = (descriptor(), manifest());
    let both = Declarations { descriptor: Some(&descriptor), manifest: Some(&manifest) };
    let everything = "template: { canary: true, bodies: true, release: 7 }\n\
                      receivers: { reservedConcurrency: 5 }\n\
                      concurrencyQuota: 500\n\
                      tags: { team: hooks }\n";
    for declared in [Declarations::from(&descriptor), Declarations::from(&manifest), both] {
        for more in ["concurrencyQuota: 500\n", everything] {
            let configuration = Configuration::parse(&format!("{more}{WEBHOOKS}")).unwrap();
            assert_eq!(configuration.problems(declared), []);
            let template = render(declared, &configuration).unwrap();
            assert_eq!(invariants(declared, &configuration, "template.yaml", &template), []);
        }
    }
}

/// An app can have them alone. Then it has a name.
#[test]
fn an_app_of_signed_webhooks_alone_needs_a_name() {
    let alone = Declarations::default();
    let text = format!("app: hooks\nconcurrencyQuota: 500\n{WEBHOOKS}");
    let configuration = Configuration::parse(&text).unwrap();
    assert_eq!(configuration.problems(alone), []);
    let template = render(alone, &configuration).unwrap();
    assert_eq!(invariants(alone, &configuration, "template.yaml", &template), []);
    for word in ["Signed webhooks of hooks", "kms:EncryptionContext:app: 'hooks'", "TenantsTable:"]
    {
        assert!(template.contains(word), "{word}: {template}");
    }
    for word in ["Connect", "Forge", "Lifecycle:", "Descriptor", "KeySet"] {
        assert!(!template.contains(word), "{word}: {template}");
    }
    let problem = |text: &str, declared: Declarations<'_>| {
        let problems = Configuration::parse(text).unwrap().problems(declared);
        let [Problem { place, advice }] = &problems[..] else { panic!("{text}: {problems:?}") };
        assert_eq!(place, "app");
        advice.clone()
    };
    assert!(problem(&text, (&descriptor()).into()).contains("delete it"));
    assert!(problem("app: hooks", alone).contains("declares no webhook"));
    assert!(problem(&format!("app: 'my hooks'\n{WEBHOOKS}"), alone).contains("letters"));
}

/// Nothing of them is in the template of an app that has none.
#[test]
fn an_app_without_signed_webhooks_has_nothing_of_them() {
    let without = render(&descriptor(), &Configuration::default()).unwrap();
    let with = render(&descriptor(), &Configuration::parse(WEBHOOKS).unwrap()).unwrap();
    for word in ["signed-receiver", "SIGNED_WEBHOOK", "SignedReceiverRole", "LeadingKeys"] {
        assert!(!without.contains(word), "{word}");
        assert!(with.contains(word), "{word}");
    }
}

#[test]
fn refuses_urls_of_signed_webhooks_that_cannot_be() {
    let url = |path: &str, rest: &str| format!("webhooks: {{ '{path}': {{ {rest} }} }}");
    let rest = "kind: jira, events: [jira:issue_created], handler: acme";
    let rows = [
        (url("/hooks/jira", rest), "webhooks./hooks/jira", "have `{tenant}` as one"),
        (url("/hooks/{site}", rest), "webhooks./hooks/{site}", "have `{tenant}` as one"),
        (url("/{tenant}/{tenant}", rest), "webhooks./{tenant}/{tenant}", "write it as in"),
        (
            url("/hooks/{tenant}", "kind: jira, events: [], handler: acme"),
            "webhooks./hooks/{tenant}",
            "set it to all",
        ),
        (
            url("/hooks/{tenant}", "kind: jira, events: [installed], handler: acme"),
            "webhooks./hooks/{tenant}",
            "installed is a lifecycle callback",
        ),
        (
            url("/hooks/{tenant}", "kind: jira, events: all, handler: signed-receiver"),
            "webhooks./hooks/{tenant}",
            "another function",
        ),
        (url("/issue/created/{tenant}", rest), "", ""),
        // The name of the function of /issue-created, if the place of the tenant has no name.
        (
            format!("webhooks: {{ '/a/{{tenant}}': {{ {rest} }}, '/a-{{tenant}}': {{ {rest} }} }}"),
            "webhooks./a-{tenant}",
            "have `{tenant}` as one",
        ),
        (
            format!(
                "webhooks: {{ '/a-b/{{tenant}}': {{ {rest} }}, '/a/b/{{tenant}}': {{ {rest} }} }}"
            ),
            "webhooks./a-b/{tenant}",
            "its function would have the name",
        ),
        (
            url("/hooks/{tenant}", "kind: jira, events: all, handler: issue-Created"),
            "webhooks./hooks/{tenant}",
            "lowercase",
        ),
    ];
    for (text, place, words) in rows {
        let problems = Configuration::parse(&text).unwrap().problems(&descriptor());
        if words.is_empty() {
            assert_eq!(problems, [], "{text}");
            continue;
        }
        let Some(Problem { place: found, advice }) = problems.first() else {
            panic!("{text}: {problems:?}")
        };
        assert_eq!(found, place, "{text}");
        assert!(advice.contains(words), "{text}: {advice}");
    }
    let unreadable = [
        ("kind: svn, events: all, handler: a", "webhooks", "svn"),
        ("kind: jira, events: every, handler: a", "webhooks", "the word `all`"),
        ("kind: jira, events: all", "webhooks", "handler"),
        ("kind: jira, events: all, handler: a, secret: b", "webhooks", "secret"),
    ];
    for (rest, place, words) in unreadable {
        let problem = Configuration::parse(&url("/hooks/{tenant}", rest)).unwrap_err();
        assert!(problem.place.starts_with(place), "{problem}");
        assert!(problem.advice.contains(words), "{problem}");
    }
    // API Gateway does not compare the names of variables.
    let document = r#"{"key": "app", "authentication": {"type": "jwt"}, "modules": {"webhooks": [
        {"event": "jira:issue_created", "url": "/hooks/${issue.key}/jira"}]}}"#;
    let other = Descriptor::parse(document).unwrap();
    let problems = Configuration::parse(WEBHOOKS).unwrap().problems(&other);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(problem.advice.contains("also that of /hooks/{issue_key}/jira"), "{problem}");
}

#[test]
fn finds_each_seeded_fault_of_signed_webhooks() {
    let manifest = manifest();
    let configuration = Configuration::parse(WEBHOOKS).unwrap();
    let good = render(&manifest, &configuration).unwrap();
    let found = |text: &str| -> Vec<String> {
        let findings = invariants(&manifest, &configuration, "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    };
    let faults = [
        (
            "another kind",
            "\"kind\":\"jira\"",
            "\"kind\":\"jira-oauth\"",
            "HooksTenantJiraReceiver",
            "SIGNED_WEBHOOK is not what the configuration declares for POST /hooks/{tenant}/jira",
        ),
        (
            "another event",
            "\"jira:issue_created\"",
            "\"jira:issue_deleted\"",
            "HooksTenantJiraReceiver",
            "SIGNED_WEBHOOK is not",
        ),
        (
            "another path",
            "\"path\":\"/hooks/{tenant}/jira\"",
            "\"path\":\"/hooks/{tenant}/bitbucket\"",
            "HooksTenantJiraReceiver",
            "SIGNED_WEBHOOK is not",
        ),
        (
            "another app's secrets",
            "          APP_KEY: 'ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107'\n          QUEUE_URL: !Ref AcmeQueue",
            "          APP_KEY: 'other'\n          QUEUE_URL: !Ref AcmeQueue",
            "HooksTenantJiraReceiver",
            "APP_KEY is not the app's id",
        ),
        (
            "plaintext secrets",
            "          TENANTS_KEY: !If [MakesTenantsKey, !GetAtt TenantsKey.Arn, !Ref TenantsKeyArn]\n",
            "",
            "HooksTenantBitbucketReceiver",
            "TENANTS_KEY is not a key of this template",
        ),
        (
            "receiver of Forge events",
            "Binary: signed-receiver",
            "Binary: forge-receiver",
            "HooksTenantBitbucketReceiver",
            "must lead to a function that runs SignedReceiver",
        ),
        (
            "route of another URL",
            "Path: '/hooks/{tenant}/jira'",
            "Path: '/hooks/{tenant}/bitbucket'",
            "HooksTenantJiraReceiver",
            "SIGNED_WEBHOOK is not",
        ),
        (
            "route that nothing declares",
            "Path: '/hooks/{tenant}/jira'",
            "Path: '/hooks/{tenant}/other'",
            "the API",
            "POST /hooks/{tenant}/jira of the manifest or the configuration is missing",
        ),
        (
            "queue of another handler",
            "QUEUE_URL: !Ref AcmeQueue",
            "QUEUE_URL: !Ref PushedQueue",
            "HooksTenantJiraReceiver",
            "asks for the handler acme",
        ),
        (
            "role of Forge's receivers",
            "Role: !GetAtt AcmeSignedReceiverRole.Arn",
            "Role: !GetAtt ChangedEndpointRole.Arn",
            "ChangedEndpointRole",
            "have different tasks and share a role",
        ),
        (
            "every tenant's row",
            "                    dynamodb:LeadingKeys: ['data-key *', 'signed *']",
            "                    dynamodb:LeadingKeys: ['*']",
            "AcmeSignedReceiverRole",
            "needs a condition on dynamodb:LeadingKeys",
        ),
        (
            "every attribute",
            "previousUntil, kind]",
            "previousUntil, kind, oauthClientId]",
            "AcmeSignedReceiverRole",
            "needs a condition on dynamodb:Attributes",
        ),
        (
            "another app's data keys",
            "                    kms:EncryptionContext:app: 'ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107'",
            "                    kms:EncryptionContext:app: 'other'",
            "AcmeSignedReceiverRole",
            "needs a condition on kms:EncryptionContext:app",
        ),
        (
            "no permission to send",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt AcmeQueue.Arn",
            "                Action: sqs:SendMessage\n                Resource: !GetAtt PushedQueue.Arn",
            "AcmeSignedReceiverRole",
            "needs sqs:SendMessage on ${AcmeQueue.Arn}",
        ),
        (
            "permission to write tenants",
            "                Action: dynamodb:GetItem\n",
            "                Action: [dynamodb:GetItem, dynamodb:UpdateItem]\n",
            "AcmeSignedReceiverRole",
            "must not do dynamodb:UpdateItem",
        ),
    ];
    assert_caught(&good, &faults, found);
}

const WEBHOOKS: &str = "
webhooks:
  /hooks/{tenant}/jira: { kind: jira, events: [jira:issue_created], handler: acme }
  /hooks/{tenant}/bitbucket: { kind: bitbucket, events: all, handler: pushed }
";

fn manifest() -> Manifest {
    let text = "
app: { id: 'ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107' }
permissions: { scopes: ['read:jira-work'] }
remotes: [{ key: hooks, baseUrl: 'https://hooks.example.com', operations: [compute] }]
modules:
  endpoint:
    - { key: changed, remote: hooks, route: { path: /forge/changed } }
    - { key: life, remote: hooks, route: { path: /forge/life } }
  trigger:
    - { key: on-issue, endpoint: changed, events: ['avi:jira:created:issue'] }
    - { key: on-life, endpoint: life, events: ['avi:forge:installed:app'] }
  preUninstall: [{ key: bye, endpoint: life }]
";
    let file = Path::new("infra/manifest.yml");
    let manifest = forge::read(text, file).unwrap();
    assert_eq!(forge::check(&manifest, file), []);
    manifest
}

fn descriptor() -> Descriptor {
    let document = json!({
        "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
        "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
        "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
        "modules": {"webhooks": [
            {"event": "jira:issue_created", "url": "/issue-created"},
            {"event": "page_created", "url": "/page-created"},
        ]},
    });
    Descriptor::parse(&document.to_string()).unwrap()
}

/// The name of a fault, the words of a template that are replaced, what by, the resource that must be
/// named, and words of the advice.
type Fault<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Asserts that each fault in an otherwise good template is found by its name.
#[track_caller]
fn assert_caught(good: &str, faults: &[Fault<'_>], found: impl Fn(&str) -> Vec<String>) {
    for (fault, words, by, resource, advice) in faults {
        let bad = good.replacen(words, by, 1);
        assert_ne!(bad, good, "{fault}: the template does not say {words}");
        let findings = found(&bad);
        let place = format!(": {resource}: ");
        let named = |finding: &&String| finding.contains(&place) && finding.contains(advice);
        assert!(findings.iter().any(|finding| named(&finding)), "{fault}: {findings:#?}");
    }
}

/// What is found in a template of an app without a configuration.
fn found(text: &str) -> Vec<String> {
    found_with(&Configuration::default(), text)
}

fn found_with(configuration: &Configuration, text: &str) -> Vec<String> {
    let findings = invariants(&descriptor(), configuration, "template.yaml", text);
    findings.iter().map(ToString::to_string).collect()
}

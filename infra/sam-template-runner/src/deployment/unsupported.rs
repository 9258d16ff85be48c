//! Resource types and properties that have no effect in a local run. They are accepted and skipped.

use sam_template::resource_type;

/// Types of resources.
pub(super) const RESOURCE_TYPES: &[&str] = &[
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    resource_type::ALARM,
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    resource_type::ROLE,
    "AWS::KMS::Alias",
    resource_type::KEY,
    "AWS::Lambda::Permission",
    resource_type::LOG_GROUP,
    resource_type::METRIC_FILTER,
    "AWS::Logs::QueryDefinition",
    resource_type::BUCKET,
    "AWS::S3::BucketPolicy",
    "AWS::Route53::RecordSet",
    "AWS::SNS::Subscription",
    resource_type::TOPIC,
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
];

/// Types of events ("EventSource" of a function, in the AWS SAM Developer Guide).
pub(super) const EVENT_TYPES: &[&str] = &[
    "AlexaSkill",
    "Api",
    "CloudWatchEvent",
    "CloudWatchLogs",
    "Cognito",
    "DocumentDB",
    "DynamoDB",
    "EventBridgeRule",
    "IoTRule",
    "Kinesis",
    "MQ",
    "MSK",
    "S3",
    "SNS",
    "Schedule",
    "ScheduleV2",
    "SelfManagedKafka",
];

/// Properties of a function.
pub(super) const FUNCTION: &[&str] = &[
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CodeSigningConfigArn",
    "CodeUri",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "KmsKeyArn",
    "Layers",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "Runtime",
    "RuntimeManagementConfig",
    "SourceKMSKeyArn",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
];

/// Properties of an HTTP API.
pub(super) const HTTP_API: &[&str] = &[
    "AccessLogSettings",
    "DefaultRouteSettings",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "FailOnWarnings",
    "Name",
    "PropagateTags",
    "RouteSettings",
    "Tags",
];

/// Properties of a queue.
pub(super) const QUEUE: &[&str] =
    &["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "QueueName", "Tags"];

/// Properties of a table.
pub(super) const TABLE: &[&str] = &[
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "KinesisStreamSpecification",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "SSESpecification",
    "StreamSpecification",
    "TableClass",
    "TableName",
    "Tags",
    "WarmThroughput",
];

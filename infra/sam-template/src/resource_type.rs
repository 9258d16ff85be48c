//! The types of resources that the local run, or a check of a template, has rules for.

/// An alarm of CloudWatch.
pub const ALARM: &str = "AWS::CloudWatch::Alarm";

/// A bucket of S3.
pub const BUCKET: &str = "AWS::S3::Bucket";

/// A function of Lambda, as SAM declares it.
pub const FUNCTION: &str = "AWS::Serverless::Function";

/// An HTTP API of API Gateway, as SAM declares it.
pub const HTTP_API: &str = "AWS::Serverless::HttpApi";

/// A key of KMS.
pub const KEY: &str = "AWS::KMS::Key";

/// A log group of CloudWatch.
pub const LOG_GROUP: &str = "AWS::Logs::LogGroup";

/// A metric filter of CloudWatch Logs.
pub const METRIC_FILTER: &str = "AWS::Logs::MetricFilter";

/// A queue of SQS.
pub const QUEUE: &str = "AWS::SQS::Queue";

/// A role of IAM.
pub const ROLE: &str = "AWS::IAM::Role";

/// A table of DynamoDB.
pub const TABLE: &str = "AWS::DynamoDB::Table";

/// A topic of SNS.
pub const TOPIC: &str = "AWS::SNS::Topic";

//! The parameters that CloudFormation gives every template: "Pseudo parameters reference" in the AWS
//! CloudFormation Template Reference Guide.

/// The id of the account.
pub const ACCOUNT_ID: &str = "AWS::AccountId";

/// The value that removes its property.
pub const NO_VALUE: &str = "AWS::NoValue";

/// The topics that hear of the stack.
pub const NOTIFICATION_ARNS: &str = "AWS::NotificationARNs";

/// The partition of the region, as in ARNs.
pub const PARTITION: &str = "AWS::Partition";

/// The region of the stack.
pub const REGION: &str = "AWS::Region";

/// The ARN of the stack.
pub const STACK_ID: &str = "AWS::StackId";

/// The name of the stack.
pub const STACK_NAME: &str = "AWS::StackName";

/// The domain of the services of the partition.
pub const URL_SUFFIX: &str = "AWS::URLSuffix";

/// All of them.
pub const ALL: [&str; 8] =
    [ACCOUNT_ID, NO_VALUE, NOTIFICATION_ARNS, PARTITION, REGION, STACK_ID, STACK_NAME, URL_SUFFIX];

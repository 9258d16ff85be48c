# An app in Terraform, from what its template says:
#
#   cargo hooks plan --json > plan.json
#   cargo lambda build --release --arm64 --output-format zip
#   terraform apply -var stack=my-app -var plan=plan.json -var artifacts=target/lambda
#
# It has no domain name, no dashboard and no topic of its own: alarms go to the topics in plan.json that
# have an ARN, as with AlarmTopicArn. The rest is in plan.json, and changes with it.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.70"
    }
  }
}

variable "stack" {
  type        = string
  description = "The prefix of all names."
}

variable "plan" {
  type        = string
  description = "The file that `cargo hooks plan --json` wrote."
}

variable "artifacts" {
  type        = string
  description = "The folder in which cargo-lambda wrote an archive for each binary."
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  plan      = jsondecode(file(var.plan))
  functions = { for function in local.plan.functions : function.id => function }
  roles     = { for role in local.plan.roles : role.id => role }
  queues    = { for queue in local.plan.queues : queue.id => queue.properties }
  tables    = { for table in local.plan.tables : table.id => table.properties }
  others    = { for other in local.plan.others : other.id => other }
  of_type = {
    for type in toset([for other in local.plan.others : other.type]) :
    type => { for id, other in local.others : id => other.properties if other.type == type }
  }
  api    = one(values(local.of_type["AWS::Serverless::HttpApi"]))
  keys   = lookup(local.of_type, "AWS::KMS::Key", {})
  logs   = local.of_type["AWS::Logs::LogGroup"]
  alarms = lookup(local.of_type, "AWS::CloudWatch::Alarm", {})

  # Texts of alarms in which names of the stack stand.
  alarm_texts = {
    for id, alarm in local.alarms : id => {
      description = join("", [
        for part in regexall(local.parts, alarm.AlarmDescription) : lookup(local.pseudo_parameters, part, part)
      ])
      namespace = join("", [
        for part in regexall(local.parts, try(alarm.Namespace, "")) : lookup(local.pseudo_parameters, part, part)
      ])
    }
  }

  # A text is split by this: a reference, such as a queue's ARN, or what stands between two of them.
  parts = "\\$\\{[^}]+\\}|[^$]+|\\$"

  pseudo_parameters = {
    "$${AWS::AccountId}" = data.aws_caller_identity.current.account_id
    "$${AWS::Partition}" = data.aws_partition.current.partition
    "$${AWS::Region}"    = data.aws_region.current.name
    "$${AWS::StackName}" = var.stack
  }

  # What each reference in plan.json is here.
  references = merge(
    local.pseudo_parameters,
    { for id, queue in aws_sqs_queue.all : "$${${id}}" => queue.url },
    { for id, queue in aws_sqs_queue.all : "$${${id}.Arn}" => queue.arn },
    { for id, queue in aws_sqs_queue.all : "$${${id}.QueueName}" => queue.name },
    { for id, table in aws_dynamodb_table.all : "$${${id}}" => table.name },
    { for id, table in aws_dynamodb_table.all : "$${${id}.Arn}" => table.arn },
    { for id, key in aws_kms_key.all : "$${${id}}" => key.key_id },
    { for id, key in aws_kms_key.all : "$${${id}.Arn}" => key.arn },
    { for id, group in aws_cloudwatch_log_group.all : "$${${id}}" => group.name },
    { for id, group in aws_cloudwatch_log_group.all : "$${${id}.Arn}" => "${group.arn}:*" },
  )
}

resource "aws_sqs_queue" "all" {
  for_each = local.queues

  name = join("", [
    for part in regexall(local.parts, each.value.QueueName) :
    lookup(local.pseudo_parameters, part, part)
  ])
  message_retention_seconds  = try(each.value.MessageRetentionPeriod, null)
  visibility_timeout_seconds = try(each.value.VisibilityTimeout, null)
  sqs_managed_sse_enabled    = try(each.value.SqsManagedSseEnabled, true)
}

resource "aws_sqs_queue_redrive_policy" "all" {
  for_each = { for id, queue in local.queues : id => queue if can(queue.RedrivePolicy) }

  queue_url = aws_sqs_queue.all[each.key].id
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.references[each.value.RedrivePolicy.deadLetterTargetArn]
    maxReceiveCount     = tonumber(each.value.RedrivePolicy.maxReceiveCount)
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "all" {
  for_each = { for id, queue in local.queues : id => queue if can(queue.RedriveAllowPolicy) }

  queue_url = aws_sqs_queue.all[each.key].id
  redrive_allow_policy = join("", [
    for part in regexall(local.parts, jsonencode(each.value.RedriveAllowPolicy)) :
    lookup(local.pseudo_parameters, part, part)
  ])
}

resource "aws_dynamodb_table" "all" {
  for_each = local.tables

  name                        = "${var.stack}-${each.key}"
  billing_mode                = each.value.BillingMode
  hash_key                    = one([for key in each.value.KeySchema : key.AttributeName if key.KeyType == "HASH"])
  range_key                   = one([for key in each.value.KeySchema : key.AttributeName if key.KeyType == "RANGE"])
  deletion_protection_enabled = try(each.value.DeletionProtectionEnabled, false)

  dynamic "attribute" {
    for_each = each.value.AttributeDefinitions
    content {
      name = attribute.value.AttributeName
      type = attribute.value.AttributeType
    }
  }

  dynamic "ttl" {
    for_each = try([each.value.TimeToLiveSpecification], [])
    content {
      attribute_name = ttl.value.AttributeName
      enabled        = ttl.value.Enabled
    }
  }

  dynamic "on_demand_throughput" {
    for_each = try([each.value.OnDemandThroughput], [])
    content {
      max_read_request_units  = on_demand_throughput.value.MaxReadRequestUnits
      max_write_request_units = on_demand_throughput.value.MaxWriteRequestUnits
    }
  }

  point_in_time_recovery {
    enabled = try(each.value.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, false)
  }

  server_side_encryption {
    enabled = try(each.value.SSESpecification.SSEEnabled, false)
  }
}

# Without its key the tenants' secrets cannot be decrypted.
resource "aws_kms_key" "all" {
  for_each = local.keys

  description             = each.value.Description
  enable_key_rotation     = try(each.value.EnableKeyRotation, true)
  deletion_window_in_days = try(each.value.PendingWindowInDays, 30)
  multi_region            = try(each.value.MultiRegion, false)

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "all" {
  for_each = local.logs

  name = join("", [
    for part in regexall(local.parts, try(each.value.LogGroupName, "${var.stack}-${each.key}")) :
    lookup(local.pseudo_parameters, part, part)
  ])
  retention_in_days = each.value.RetentionInDays
}

resource "aws_iam_role" "all" {
  for_each = local.roles

  name                 = "${var.stack}-${each.key}"
  assume_role_policy   = jsonencode(each.value.trust)
  path                 = each.value.path
  permissions_boundary = each.value.permissionsBoundary
}

resource "aws_iam_role_policy" "all" {
  for_each = local.roles

  role = aws_iam_role.all[each.key].id
  policy = join("", [
    for part in regexall(local.parts, jsonencode({ Version = "2012-10-17", Statement = each.value.statements })) :
    lookup(local.references, part, part)
  ])
}

resource "aws_lambda_function" "all" {
  for_each = local.functions

  function_name                  = "${var.stack}-${each.key}"
  filename                       = "${var.artifacts}/${each.value.binary}/bootstrap.zip"
  source_code_hash               = filebase64sha256("${var.artifacts}/${each.value.binary}/bootstrap.zip")
  role                           = aws_iam_role.all[each.value.role].arn
  runtime                        = each.value.runtime
  handler                        = each.value.handler
  architectures                  = [each.value.architecture]
  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = try(coalesce(each.value.reservedConcurrency), -1)

  environment {
    variables = {
      for name, value in each.value.variables : name => join("", [
        for part in regexall(local.parts, tostring(value)) : lookup(local.references, part, part)
      ])
    }
  }

  logging_config {
    log_format            = each.value.logging.LogFormat
    application_log_level = try(each.value.logging.ApplicationLogLevel, null)
    system_log_level      = try(each.value.logging.SystemLogLevel, null)
    log_group             = local.references[each.value.logging.LogGroup]
  }

  tracing_config {
    mode = each.value.tracing
  }

  depends_on = [aws_iam_role_policy.all]
}

resource "aws_lambda_event_source_mapping" "all" {
  for_each = merge([
    for id, function in local.functions : {
      for source in function.eventSources : "${id}.${source.queue}" => merge(source, { function = id })
    }
  ]...)

  function_name                      = aws_lambda_function.all[each.value.function].arn
  event_source_arn                   = aws_sqs_queue.all[each.value.queue].arn
  batch_size                         = each.value.batchSize
  maximum_batching_window_in_seconds = each.value.batchWindow
  function_response_types            = each.value.responseTypes

  dynamic "scaling_config" {
    for_each = each.value.maximumConcurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
}

resource "aws_apigatewayv2_api" "hooks" {
  name          = var.stack
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_stage" "hooks" {
  api_id      = aws_apigatewayv2_api.hooks.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = local.api.DefaultRouteSettings.ThrottlingRateLimit
    throttling_burst_limit = local.api.DefaultRouteSettings.ThrottlingBurstLimit
  }

  access_log_settings {
    # CloudFormation's and API Gateway's form of the ARN has no `:*` at its end.
    destination_arn = trimsuffix(local.references[local.api.AccessLogSettings.DestinationArn], ":*")
    format          = local.api.AccessLogSettings.Format
  }
}

resource "aws_apigatewayv2_integration" "all" {
  for_each = { for id, function in local.functions : id => function if length(function.routes) > 0 }

  api_id                 = aws_apigatewayv2_api.hooks.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.all[each.key].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "all" {
  for_each = merge([
    for id, function in local.functions : {
      for route in function.routes : "${route.method} ${route.path}" => id
    }
  ]...)

  api_id    = aws_apigatewayv2_api.hooks.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.all[each.value].id}"
}

resource "aws_lambda_permission" "all" {
  for_each = aws_apigatewayv2_integration.all

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.all[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.hooks.execution_arn}/*"
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each = local.alarms

  alarm_name          = "${var.stack}-${each.key}"
  alarm_description   = local.alarm_texts[each.key].description
  namespace           = try(each.value.MetricName, null) == null ? null : local.alarm_texts[each.key].namespace
  metric_name         = try(each.value.MetricName, null)
  dimensions          = { for one in try(each.value.Dimensions, []) : one.Name => lookup(local.references, one.Value, one.Value) }
  statistic           = try(each.value.Statistic, null)
  period              = try(each.value.Period, null)
  evaluation_periods  = each.value.EvaluationPeriods
  datapoints_to_alarm = try(each.value.DatapointsToAlarm, null)
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = try(each.value.TreatMissingData, null)
  alarm_actions       = [for topic in try(each.value.AlarmActions, []) : topic if startswith(topic, "arn:")]
  ok_actions          = [for topic in try(each.value.OKActions, []) : topic if startswith(topic, "arn:")]

  dynamic "metric_query" {
    for_each = try(each.value.Metrics, [])
    content {
      id          = metric_query.value.Id
      expression  = try(metric_query.value.Expression, null)
      label       = try(metric_query.value.Label, null)
      return_data = try(metric_query.value.ReturnData, true)

      dynamic "metric" {
        for_each = try([metric_query.value.MetricStat], [])
        content {
          namespace   = metric.value.Metric.Namespace
          metric_name = metric.value.Metric.MetricName
          dimensions = {
            for one in try(metric.value.Metric.Dimensions, []) :
            one.Name => one.Name == "ApiId" ? aws_apigatewayv2_api.hooks.id : lookup(local.references, one.Value, one.Value)
          }
          stat   = metric.value.Stat
          period = metric.value.Period
        }
      }
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "all" {
  for_each = lookup(local.of_type, "AWS::Logs::MetricFilter", {})

  name           = "${var.stack}-${each.key}"
  log_group_name = local.references[each.value.LogGroupName]
  pattern        = each.value.FilterPattern

  metric_transformation {
    namespace = join("", [
      for part in regexall(local.parts, each.value.MetricTransformations[0].MetricNamespace) :
      lookup(local.pseudo_parameters, part, part)
    ])
    name  = each.value.MetricTransformations[0].MetricName
    value = each.value.MetricTransformations[0].MetricValue
  }
}

resource "aws_cloudwatch_query_definition" "all" {
  for_each = lookup(local.of_type, "AWS::Logs::QueryDefinition", {})

  name = join("", [
    for part in regexall(local.parts, each.value.Name) : lookup(local.pseudo_parameters, part, part)
  ])
  log_group_names = [for group in each.value.LogGroupNames : local.references[group]]
  query_string    = each.value.QueryString
}

output "base_url" {
  value = aws_apigatewayv2_api.hooks.api_endpoint
}

locals {
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  # Of the line that the function logs at the end of each run of the schedule, or of an event.
  run_metrics = { Runs = "1", Rows = "$.read", Rejected = "$.rejected" }
  namespace   = "MarketPulse/${local.name}"
}

resource "aws_cloudwatch_log_metric_filter" "runs" {
  for_each = local.run_metrics

  name           = "${local.name}-${lower(each.key)}"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = "{ $.message = \"done\" }"

  metric_transformation {
    namespace = local.namespace
    name      = each.key
    value     = each.value
  }
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${local.name}-failed"
  alarm_description   = "A run of MarketPulse failed; its log says why, with a check id"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.main.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
}

# Undelivered events end in the queue, too. They do not count as errors of the function.
resource "aws_cloudwatch_metric_alarm" "lost" {
  alarm_name          = "${local.name}-lost"
  alarm_description   = "The queue has events that MarketPulse did not handle; docs/devops.md says how to send one again"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.failed.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
}

# Every hour of so many without a run: the schedule is off, may not call, or its runs fail.
resource "aws_cloudwatch_metric_alarm" "silent" {
  count = local.scheduled && var.alarms.hours_without_run != null ? 1 : 0

  alarm_name          = "${local.name}-silent"
  alarm_description   = "MarketPulse has finished no scheduled run for ${var.alarms.hours_without_run} hours"
  namespace           = local.namespace
  metric_name         = "Runs"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.alarms.hours_without_run
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "empty" {
  count = var.alarms.empty_runs ? 1 : 0

  alarm_name          = "${local.name}-empty"
  alarm_description   = "A run of MarketPulse read no rows, on a day on which another run read some"
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions

  metric_query {
    id          = "empty"
    expression  = "IF(fewest == 0 AND most > 0, 1, 0)"
    label       = "A run without rows"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { fewest = "Minimum", most = "Maximum" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = "Rows"
        stat        = metric_query.value
        period      = 86400
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarms.rejected_percent == null ? 0 : 1

  alarm_name          = "${local.name}-rejected"
  alarm_description   = "MarketPulse rejected more than ${var.alarms.rejected_percent} % of the rows; rejected_colors says why"
  evaluation_periods  = 1
  threshold           = var.alarms.rejected_percent
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions

  metric_query {
    id          = "percent"
    expression  = "IF(rows > 0, 100 * rejected / rows, 0)"
    label       = "Rejected rows in percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { rows = "Rows", rejected = "Rejected" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "http" {
  count = var.http && var.alarms.http_errors != null ? 1 : 0

  alarm_name          = "${local.name}-http"
  alarm_description   = "MarketPulse answered HTTP requests with a status of 5xx; its log says why, with a check id"
  namespace           = "AWS/Lambda"
  metric_name         = "Url5xxCount"
  dimensions          = { FunctionName = aws_lambda_function.main.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = var.alarms.http_errors
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
}

resource "aws_scheduler_schedule" "runs" {
  name                         = local.name
  description                  = "MarketPulse: rank the day's colors and publish them"
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.schedule_timezone
  state                        = local.scheduled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = aws_kms_key.main.arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.main.arn
    role_arn = aws_iam_role.schedule.arn

    # The scheduled time, not the time of the call: a retry then produces the same bytes. jsonencode
    # escapes < and >, and EventBridge would not recognize its keyword.
    input = replace(replace(jsonencode(merge(var.run, { time = "<aws.scheduler.scheduled-time>" })), "\\u003c", "<"), "\\u003e", ">")

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed.arn
    }
  }
}

# 0 8,10,12,14,16,18 * * * UTC, as AWS writes it: six fields, and a ? for the day that is not said.
resource "aws_scheduler_schedule" "runs" {
  name                         = local.name
  description                  = "MarketPulse: rank the day's colors and publish them"
  schedule_expression          = "cron(0 8,10,12,14,16,18 * * ? *)"
  schedule_expression_timezone = "UTC"
  state                        = local.scheduled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = aws_kms_key.main.arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.main.arn
    role_arn = aws_iam_role.schedule.arn

    # The time that the schedule says, not the one when it got through: a second try makes the same
    # bytes. jsonencode spells < and > as escapes, in which the schedule would not see its word.
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

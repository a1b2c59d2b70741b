# The files need no edits: set these in a .tfvars file of yours.

# These three make the path of the parameters; the settings have the same names.
variable "app_prefix" {
  description = "APP_PREFIX: the first part of every name."
  type        = string
  default     = "sp-incb"
}

variable "env" {
  description = "ENV: ci, qa or prod. The workspace has the same name."
  type        = string

  validation {
    condition     = contains(["ci", "qa", "prod"], var.env)
    error_message = "env must be ci, qa or prod."
  }
}

variable "app_name" {
  description = "APP_NAME: the last part of every name."
  type        = string
  default     = "market-pulse"
}

variable "aws_region" {
  description = "AWS_REGION."
  type        = string
  default     = "us-east-1"
}

variable "function_zip" {
  description = "The file that build_function.py wrote. Ignored if image_uri is set."
  type        = string
  default     = "function.zip"
}

variable "image_uri" {
  description = "The container image in ECR, with its tag. Null: the zip."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "A network that reaches the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that network, in at least two zones."
  type        = list(string)
}

variable "oracle_cidr" {
  description = "The addresses of the database: the only ones that the function may reach on its port."
  type        = string
}

variable "oracle_port" {
  description = "The database's port."
  type        = number
  default     = 1521
}

variable "endpoints_cidr" {
  description = "The addresses of the network's SSM endpoint, for port 443."
  type        = string
}

variable "secret_arn" {
  description = "A secret of Secrets Manager with user name and password, instead of the parameters. May be null."
  type        = string
  default     = null
}

variable "secret_key_arn" {
  description = "The KMS key of that secret. Null: the key that AWS manages."
  type        = string
  default     = null
}

variable "run" {
  description = "Options of scheduled runs: table, where, hierarchy, mapping, types, date_format, accept_rounded_ids, delimiter, sheet, header_row, max_rejected. May be empty."
  type        = any
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.run), ["table", "where", "hierarchy", "mapping", "types", "date_format", "accept_rounded_ids", "delimiter", "sheet", "header_row", "max_rejected"])) == 0
    error_message = "run may have table, where, hierarchy, mapping, types, date_format, accept_rounded_ids, delimiter, sheet, header_row and max_rejected."
  }
}

variable "schedule" {
  description = "When runs are made, for EventBridge: six fields, and ? for the unused one of the two days."
  type        = string
  default     = "cron(0 8,10,12,14,16,18 * * ? *)"
}

variable "schedule_timezone" {
  description = "The time zone of the schedule, for example America/New_York."
  type        = string
  default     = "UTC"
}

variable "memory" {
  description = "Memory of the function in MB; it gets processors in proportion. Null: by env."
  type        = number
  default     = null
}

variable "timeout" {
  description = "Seconds for a run, at most 900. Null: by env."
  type        = number
  default     = null
}

variable "keep_days" {
  description = "Days until published runs expire. Null: by env."
  type        = number
  default     = null
}

variable "log_days" {
  description = "Days until entries of the log expire. Null: by env."
  type        = number
  default     = null
}

variable "scheduled" {
  description = "Whether the schedule is on. Null: on in qa and prod."
  type        = bool
  default     = null
}

variable "rules_key" {
  description = "The key of the exclusion rules in the bucket, for example rules/rules.json. May be null."
  type        = string
  default     = null
}

variable "query_key" {
  description = "The key of the query in the bucket that is read instead of a table, for example queries/feed.sql. May be null."
  type        = string
  default     = null
}

variable "http" {
  description = "Whether the function answers HTTP, for callers with IAM credentials."
  type        = bool
  default     = false
}

variable "http_tables" {
  description = "The tables that callers of HTTP may rank and publish with POST /runs. Empty: HTTP only reads."
  type        = list(string)
  default     = []
}

variable "reader_arns" {
  description = "Who may assume the role for readers of published colors: ARNs of roles or accounts. Empty: no such role."
  type        = list(string)
  default     = []
}

variable "alarm_topic_arn" {
  description = "An SNS topic for the alarms. Null: no notification."
  type        = string
  default     = null
}

variable "alarms" {
  description = "When alarms go off. hours_without_run: hours in which the schedule made no run. empty_runs: a run without rows within a day that has some. rejected_percent: the share of rejected rows. http_errors: answers with 5xx in five minutes. Null or false: never."
  type = object({
    hours_without_run = optional(number, 24)
    empty_runs        = optional(bool, true)
    rejected_percent  = optional(number, 2)
    http_errors       = optional(number, 1)
  })
  default = {}

  validation {
    condition     = try(var.alarms.hours_without_run >= 1 && var.alarms.hours_without_run <= 168, var.alarms.hours_without_run == null)
    error_message = "CloudWatch looks back a week: hours_without_run must be 1 to 168."
  }
}

locals {
  # The differences between the environments.
  defaults = {
    ci   = { memory = 2048, timeout = 300, log_days = 365, keep_days = 30, scheduled = false }
    qa   = { memory = 2048, timeout = 300, log_days = 365, keep_days = 90, scheduled = true }
    prod = { memory = 3072, timeout = 900, log_days = 731, keep_days = 2555, scheduled = true }
  }
  chosen = {
    memory    = coalesce(var.memory, local.defaults[var.env].memory)
    timeout   = coalesce(var.timeout, local.defaults[var.env].timeout)
    log_days  = coalesce(var.log_days, local.defaults[var.env].log_days)
    keep_days = coalesce(var.keep_days, local.defaults[var.env].keep_days)
  }
  scheduled = coalesce(var.scheduled, local.defaults[var.env].scheduled)
  name      = "${var.app_prefix}-${var.env}-${var.app_name}"
  prefix    = "processed_colors"

  # What the function reads from the bucket before a run.
  input_keys = [for key in [var.rules_key, var.query_key] : key if key != null]
}

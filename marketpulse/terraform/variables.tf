# These three make the path of the parameters; the settings have the same names.
variable "app_prefix" {
  description = "APP_PREFIX: the first part of every name."
  type        = string
  default     = "sp-incb"
}

variable "env" {
  description = "ENV: ci, qa or prod."
  type        = string
  default     = "ci"

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
  description = "A container image in ECR instead of the zip, if you need Oracle's Instant Client."
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

variable "run" {
  description = "Options of scheduled runs: table, where, hierarchy, mapping, date_format, accept_rounded_ids, max_rejected. May be empty."
  type        = any
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.run), ["table", "where", "hierarchy", "mapping", "date_format", "accept_rounded_ids", "max_rejected"])) == 0
    error_message = "run may have table, where, hierarchy, mapping, date_format, accept_rounded_ids and max_rejected."
  }
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

variable "http" {
  description = "Whether the function answers HTTP, for callers with IAM credentials."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "An SNS topic for failed runs. Null: no notification."
  type        = string
  default     = null
}

locals {
  # The differences between the environments.
  defaults = {
    ci   = { memory = 2048, timeout = 300, log_days = 365, keep_days = 30, scheduled = false }
    qa   = { memory = 2048, timeout = 300, log_days = 365, keep_days = 90, scheduled = true }
    prod = { memory = 3072, timeout = 900, log_days = 731, keep_days = 2555, scheduled = true }
  }
  chosen    = local.defaults[var.env]
  scheduled = coalesce(var.scheduled, local.chosen.scheduled)
  name      = "${var.app_prefix}-${var.env}-${var.app_name}"
  prefix    = "processed_colors"
}

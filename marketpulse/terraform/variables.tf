# The three names that make up the path of the parameters, as in the settings of the same name.
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
    error_message = "env is ci, qa or prod."
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
  description = "What build_function.py made. Ignored where image_uri is set."
  type        = string
  default     = "function.zip"
}

variable "image_uri" {
  description = "A container image in ECR instead of the zip: where Oracle's Instant Client is needed."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The network from which the database can be reached."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that network, in two zones at least."
  type        = list(string)
}

variable "oracle_cidr" {
  description = "Where the database is: the only addresses that the function may call on its port."
  type        = string
}

variable "oracle_port" {
  description = "The database's port."
  type        = number
  default     = 1521
}

variable "endpoints_cidr" {
  description = "Where the network's endpoint of SSM is, for port 443."
  type        = string
}

variable "run" {
  description = "What a scheduled run is asked for: table, where, hierarchy, mapping, max_rejected. May be empty."
  type        = any
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.run), ["table", "where", "hierarchy", "mapping", "max_rejected"])) == 0
    error_message = "run has table, where, hierarchy, mapping and max_rejected, each of them or none."
  }
}

variable "scheduled" {
  description = "Whether the schedule is on. Null: in qa and prod."
  type        = bool
  default     = null
}

variable "rules_key" {
  description = "The exclusion rules' key in the bucket, for instance rules/rules.json. May be null."
  type        = string
  default     = null
}

variable "http" {
  description = "Whether the function answers by HTTP, to callers whom IAM knows."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "An SNS topic that is told of failed runs. Null: nobody is told."
  type        = string
  default     = null
}

locals {
  # What differs between the environments.
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

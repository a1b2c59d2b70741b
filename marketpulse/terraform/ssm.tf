# The seven parameters. Terraform creates them, `marketpulse ssm put` sets their values, and Terraform
# ignores the values from then on. value_wo is write-only: with `value` the next refresh would copy
# every secret into the state.
locals {
  parameter_path = "/${var.app_prefix}/${var.env}/${var.app_name}/oracle"
  parameters     = ["host", "port", "service_name", "username", "password", "schema", "table_name"]
  encrypted      = ["username", "password"]
}

resource "aws_ssm_parameter" "oracle" {
  # checkov:skip=CKV2_AWS_34:user name and password are encrypted; the other five are not secret
  # checkov:skip=CKV_AWS_337:the encrypted ones use the key below
  for_each = toset(local.parameters)

  name        = "${local.parameter_path}/${each.key}"
  description = "MarketPulse: the database's ${each.key}"
  type        = contains(local.encrypted, each.key) ? "SecureString" : "String"
  key_id      = contains(local.encrypted, each.key) ? aws_kms_key.main.arn : null

  value_wo         = "PLACEHOLDER"
  value_wo_version = 1

  lifecycle {
    # Key and description, too: with any change Terraform would send the placeholder again.
    ignore_changes  = [value, value_wo, value_wo_version, key_id, description]
    prevent_destroy = true
  }
}

# One key for the parameters, the bucket, the log and the schedule of this environment.
resource "aws_kms_key" "main" {
  description             = "MarketPulse ${var.env}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json

  lifecycle {
    prevent_destroy = true # without the key nobody can read what it encrypted
  }
}

resource "aws_kms_alias" "main" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.main.key_id
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:in a key's own policy the resource * is this key
  # checkov:skip=CKV_AWS_111:the same reason
  # checkov:skip=CKV_AWS_356:the same reason
  statement {
    sid       = "AllowIamPolicies"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  statement {
    sid       = "EncryptLogs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.aws_region}.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.current.partition}:logs:${var.aws_region}:${data.aws_caller_identity.current.account_id}:log-group:/aws/lambda/${local.name}"]
    }
  }
}

# The seven parameters. Terraform makes them, `marketpulse ssm put` gives them their values, and
# Terraform then leaves the values alone. It writes value_wo and keeps none: with value instead the
# next refresh would copy every secret into the state.
locals {
  parameter_path = "/${var.app_prefix}/${var.env}/${var.app_name}/oracle"
  parameters     = ["host", "port", "service_name", "username", "password", "schema", "table_name"]
  encrypted      = ["username", "password"]
}

resource "aws_ssm_parameter" "oracle" {
  # checkov:skip=CKV2_AWS_34:user name and password are encrypted; the other five are no secrets
  # checkov:skip=CKV_AWS_337:those that are encrypted are so with the key below
  for_each = toset(local.parameters)

  name        = "${local.parameter_path}/${each.key}"
  description = "MarketPulse: the database's ${each.key}"
  type        = contains(local.encrypted, each.key) ? "SecureString" : "String"
  key_id      = contains(local.encrypted, each.key) ? aws_kms_key.main.arn : null

  value_wo         = "PLACEHOLDER"
  value_wo_version = 1

  lifecycle {
    # The key and the words, too: whatever of it Terraform changes, it sends a value with it.
    ignore_changes = [value, value_wo, value_wo_version, key_id, description]
  }
}

# One key for the parameters, the bucket, the log and the schedule of this environment.
resource "aws_kms_key" "main" {
  description             = "MarketPulse ${var.env}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "main" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.main.key_id
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:in a key's own policy the resource * is this key
  # checkov:skip=CKV_AWS_111:so too
  # checkov:skip=CKV_AWS_356:so too
  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  statement {
    sid       = "LogsAreEncrypted"
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

# The function may read these parameters, use this key, and write below this prefix. A resource is
# "*" only if AWS supports nothing narrower; the reason stands beside it.
data "aws_iam_policy_document" "function" {
  # checkov:skip=CKV_AWS_356:ec2:DescribeNetworkInterfaces and ec2:DescribeSubnets support no resource
  # checkov:skip=CKV_AWS_111:network interfaces have no name before they exist; subnet and group limit them
  statement {
    sid     = "ReadTheParameters"
    actions = ["ssm:GetParametersByPath"]
    resources = [
      "${local.arn_of_ssm}:parameter${local.parameter_path}",
      "${local.arn_of_ssm}:parameter${local.parameter_path}/*",
    ]
  }

  dynamic "statement" {
    for_each = var.secret_arn == null ? [] : [var.secret_arn]

    content {
      sid       = "ReadTheSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.secret_key_arn == null ? [] : [var.secret_key_arn]

    content {
      sid       = "DecryptTheSecret"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.aws_region}.amazonaws.com"]
      }
    }
  }

  statement {
    sid       = "UseTheKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.main.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["lambda", "s3", "sqs", "ssm"] : "${service}.${var.aws_region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "ListThePrefix"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.colors.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.prefix}/*"]
    }
  }

  statement {
    sid       = "PublishBelowThePrefix"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.colors.arn}/${local.prefix}/*"]
  }

  # A push deletes a pointer that would lead to a damaged set. It deletes nothing else.
  statement {
    sid       = "DeleteThePointer"
    actions   = ["s3:DeleteObject"]
    resources = ["${aws_s3_bucket.colors.arn}/${local.prefix}/latest.json"]
  }

  dynamic "statement" {
    for_each = length(local.input_keys) == 0 ? [] : [local.input_keys]

    content {
      sid       = "ReadTheRulesAndTheQuery"
      actions   = ["s3:GetObject"]
      resources = [for key in statement.value : "${aws_s3_bucket.colors.arn}/${key}"]
    }
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  statement {
    sid       = "KeepFailedEvents"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }

  statement {
    sid     = "CreateNetworkInterfaces"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      [for subnet in var.subnet_ids : "${local.arn_of_ec2}:subnet/${subnet}"],
      ["${local.arn_of_ec2}:security-group/${aws_security_group.function.id}"],
      ["${local.arn_of_ec2}:network-interface/*"],
    )
  }

  # AWS supports nothing narrower here: Lambda needs it for the interfaces that it has created.
  statement {
    sid       = "DeleteNetworkInterfaces"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.arn_of_ec2}:*/*"]
  }

  statement {
    sid       = "DescribeTheNetwork"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    resources = ["*"]
  }

  # Lambda itself needs the three statements above. The code of the function gets nothing of them.
  statement {
    sid    = "LeaveTheNetworkToLambda"
    effect = "Deny"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
    ]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.arn_of_function]
    }
  }
}

locals {
  partition  = data.aws_partition.current.partition
  account    = data.aws_caller_identity.current.account_id
  arn_of_ssm = "arn:${local.partition}:ssm:${var.aws_region}:${local.account}"
  arn_of_ec2 = "arn:${local.partition}:ec2:${var.aws_region}:${local.account}"
  # By name, since the function depends on its policy.
  arn_of_function = "arn:${local.partition}:lambda:${var.aws_region}:${local.account}:function:${local.name}"
}

resource "aws_iam_role" "function" {
  name               = "${local.name}-function"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
}

resource "aws_iam_role_policy" "function" {
  name   = "least"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

data "aws_iam_policy_document" "lambda_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# The schedule may call the function, queue events that it cannot deliver, and decrypt its input.
data "aws_iam_policy_document" "schedule" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [local.arn_of_function]
  }

  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.main.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["scheduler", "sqs"] : "${service}.${var.aws_region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = "${local.name}-schedule"
  assume_role_policy = data.aws_iam_policy_document.scheduler_assumes.json
}

resource "aws_iam_role_policy" "schedule" {
  name   = "least"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

data "aws_iam_policy_document" "scheduler_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

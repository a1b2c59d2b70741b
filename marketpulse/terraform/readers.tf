# A role for readers of published colors: in the bucket, and over HTTP.
data "aws_iam_policy_document" "reader" {
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
    sid       = "ReadBelowThePrefix"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.colors.arn}/${local.prefix}/*"]
  }

  statement {
    sid       = "DecryptObjects"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.aws_region}.amazonaws.com"]
    }
  }

  # AWS asks for both permissions. The condition of the second keeps a reader from sending an event, which
  # may name any table and condition.
  dynamic "statement" {
    for_each = var.http ? [1] : []

    content {
      sid       = "CallTheUrl"
      actions   = ["lambda:InvokeFunctionUrl"]
      resources = [local.arn_of_function]

      condition {
        test     = "StringEquals"
        variable = "lambda:FunctionUrlAuthType"
        values   = ["AWS_IAM"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.http ? [1] : []

    content {
      sid       = "CallThroughTheUrl"
      actions   = ["lambda:InvokeFunction"]
      resources = [local.arn_of_function]

      condition {
        test     = "Bool"
        variable = "lambda:InvokedViaFunctionUrl"
        values   = ["true"]
      }
    }
  }
}

data "aws_iam_policy_document" "reader_assumed" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.reader_arns
    }
  }
}

resource "aws_iam_role" "reader" {
  count = length(var.reader_arns) == 0 ? 0 : 1

  name               = "${local.name}-reader"
  assume_role_policy = data.aws_iam_policy_document.reader_assumed.json
}

resource "aws_iam_role_policy" "reader" {
  count = length(var.reader_arns) == 0 ? 0 : 1

  name   = "least"
  role   = aws_iam_role.reader[0].id
  policy = data.aws_iam_policy_document.reader.json
}

resource "aws_s3_bucket" "colors" {
  # checkov:skip=CKV_AWS_144:results can be recreated from the database; replication is the company's choice
  # checkov:skip=CKV_AWS_18:CloudTrail's data events log reads, see docs/devops.md
  # checkov:skip=CKV2_AWS_62:readers follow latest.json and need no events
  bucket = "${local.name}-${data.aws_caller_identity.current.account_id}"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "colors" {
  bucket                  = aws_s3_bucket.colors.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "colors" {
  bucket = aws_s3_bucket.colors.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "colors" {
  bucket = aws_s3_bucket.colors.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "colors" {
  bucket = aws_s3_bucket.colors.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.main.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "colors" {
  bucket     = aws_s3_bucket.colors.id
  depends_on = [aws_s3_bucket_versioning.colors]

  dynamic "rule" {
    for_each = { runs = "date=", index = "runs/" }

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${local.prefix}/${rule.value}"
      }

      expiration {
        days = local.chosen.keep_days
      }
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_s3_bucket_policy" "colors" {
  bucket = aws_s3_bucket.colors.id
  policy = data.aws_iam_policy_document.bucket.json
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "RequireTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.colors.arn, "${aws_s3_bucket.colors.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

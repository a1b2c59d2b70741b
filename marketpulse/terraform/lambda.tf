# The zip is too large for the request that creates the function, so it goes through the bucket.
resource "aws_s3_object" "function" {
  count = var.image_uri == null ? 1 : 0

  bucket                 = aws_s3_bucket.colors.id
  key                    = "function/marketpulse.zip"
  source                 = var.function_zip
  source_hash            = filebase64sha256(var.function_zip)
  kms_key_id             = aws_kms_key.main.arn
  server_side_encryption = "aws:kms"

  # Versioning first: the function refers to a version of the object.
  depends_on = [aws_s3_bucket_versioning.colors]
}

resource "aws_lambda_function" "main" {
  # checkov:skip=CKV_AWS_272:whoever builds the zip may change the function anyway
  # checkov:skip=CKV_AWS_50:a single function needs no tracing; its log has times, run id and request id
  function_name = local.name
  description   = "Ranks the day's colors and publishes them"
  role          = aws_iam_role.function.arn
  package_type  = var.image_uri == null ? "Zip" : "Image"
  image_uri     = var.image_uri
  runtime       = var.image_uri == null ? "python3.12" : null
  handler       = var.image_uri == null ? "marketpulse.function.handler" : null
  architectures = ["x86_64"]
  memory_size   = local.chosen.memory
  timeout       = local.chosen.timeout
  kms_key_arn   = aws_kms_key.main.arn

  s3_bucket         = one(aws_s3_object.function[*].bucket)
  s3_key            = one(aws_s3_object.function[*].key)
  s3_object_version = one(aws_s3_object.function[*].version_id)

  # One call at a time for the schedule; more only for HTTP.
  reserved_concurrent_executions = var.http ? 10 : 1

  environment {
    variables = merge(
      {
        APP_PREFIX             = var.app_prefix
        ENV                    = var.env
        APP_NAME               = var.app_name
        MARKETPULSE_DEADLINE   = tostring(local.chosen.timeout - 60) # fail with a message before Lambda ends the call
        MARKETPULSE_PUSH       = "s3://${aws_s3_bucket.colors.id}/${local.prefix}/"
        MARKETPULSE_KMS_KEY_ID = aws_kms_key.main.arn
      },
      var.secret_arn == null ? { MARKETPULSE_CREDENTIALS = "ssm" } : { ORACLE_SECRET_ID = var.secret_arn },
      length(var.http_tables) == 0 ? {} : { MARKETPULSE_HTTP_TABLES = join(",", var.http_tables) },
      var.query_key == null ? {} : { MARKETPULSE_QUERY = "s3://${aws_s3_bucket.colors.id}/${var.query_key}" },
      var.rules_key == null ? {} : { MARKETPULSE_RULES = "s3://${aws_s3_bucket.colors.id}/${var.rules_key}" },
    )
  }

  ephemeral_storage {
    size = 2048
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.function.id]
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.failed.arn
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# The same rows give the same result, so retries are safe.
resource "aws_lambda_function_event_invoke_config" "main" {
  function_name                = aws_lambda_function.main.function_name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  # From zip to image, or back, the function is another one, and AWS has deleted what belongs to it.
  lifecycle {
    replace_triggered_by = [aws_lambda_function.main.package_type]
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = local.chosen.log_days
  kms_key_id        = aws_kms_key.main.arn
}

# Events that failed three times; normally empty. docs/devops.md says how to send one again.
resource "aws_sqs_queue" "failed" {
  name                      = "${local.name}-failed"
  message_retention_seconds = 1209600
  kms_master_key_id         = aws_kms_key.main.arn
}

resource "aws_lambda_function_url" "http" {
  count = var.http ? 1 : 0

  function_name      = aws_lambda_function.main.function_name
  authorization_type = "AWS_IAM"

  lifecycle {
    replace_triggered_by = [aws_lambda_function.main.package_type]
  }
}

# The function connects to the database and to the endpoints. Nothing connects to it.
resource "aws_security_group" "function" {
  name        = "${local.name}-function"
  description = "MarketPulse: to the database and to the endpoints of SSM and S3"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "oracle" {
  security_group_id = aws_security_group.function.id
  description       = "The database"
  cidr_ipv4         = var.oracle_cidr
  ip_protocol       = "tcp"
  from_port         = var.oracle_port
  to_port           = var.oracle_port
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  security_group_id = aws_security_group.function.id
  description       = "SSM through PrivateLink"
  cidr_ipv4         = var.endpoints_cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = aws_security_group.function.id
  description       = "S3 through its gateway endpoint"
  prefix_list_id    = data.aws_prefix_list.s3.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_prefix_list" "s3" {
  name = "com.amazonaws.${var.aws_region}.s3"
}

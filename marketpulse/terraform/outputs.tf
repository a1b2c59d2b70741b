output "bucket" {
  description = "The bucket with the published colors."
  value       = aws_s3_bucket.colors.id
}

output "latest" {
  description = "The pointer that readers follow."
  value       = "s3://${aws_s3_bucket.colors.id}/${local.prefix}/latest.json"
}

output "function" {
  description = "The function's name."
  value       = aws_lambda_function.main.function_name
}

output "parameter_path" {
  description = "The path of the seven parameters; set their values with `marketpulse ssm put`."
  value       = local.parameter_path
}

output "kms_key_id" {
  description = "The KMS key, for `marketpulse ssm put --kms-key-id` and `push-s3 --kms-key-id`."
  value       = aws_kms_key.main.arn
}

output "reader_role" {
  description = "The role for readers; null without reader_arns."
  value       = one(aws_iam_role.reader[*].arn)
}

output "http" {
  description = "The URL of the function; null without http."
  value       = one(aws_lambda_function_url.http[*].function_url)
}

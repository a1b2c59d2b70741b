"""AWS: sessions, S3 buckets, SSM parameters. The only package that imports boto3."""

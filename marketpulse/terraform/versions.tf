terraform {
  required_version = ">= 1.11" # the first version with write-only attributes

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }

  # The state belongs into a bucket with versioning that only DevOps can read. It is the same block for
  # all environments: each is a workspace, which has a state of its own.
  # backend "s3" {
  #   bucket       = "company-terraform-state"
  #   key          = "market-pulse/terraform.tfstate"
  #   region       = "us-east-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = {
      application = var.app_name
      environment = var.env
    }
  }
}

data "aws_caller_identity" "current" {
  lifecycle {
    # With another env Terraform would replace everything that this state holds.
    precondition {
      condition     = terraform.workspace == var.env
      error_message = "The workspace is ${terraform.workspace}, and env is ${var.env}. Select the workspace of the same name: terraform workspace select -or-create ${var.env}"
    }
  }
}

data "aws_partition" "current" {}

terraform {
  required_version = ">= 1.11" # the first version with write-only attributes

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
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

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

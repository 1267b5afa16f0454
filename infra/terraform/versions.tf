# Once for each installation: what has to exist before the chart is installed. infra/terraform/README.md says how.
terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
    vault = {
      source  = "hashicorp/vault"
      version = "~> 4.5"
    }
    postgresql = {
      source  = "cyrilgdn/postgresql"
      version = "~> 1.25"
    }
  }

  # Where the state is kept is the installation's to say: terraform init -backend-config=…
  backend "s3" {
    encrypt = true
  }
}

variable "report_bucket" {
  description = "Name of the bucket of the signed reports."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.report_bucket))
    error_message = "A bucket is named by 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "report_prefix" {
  description = "Folder of the bucket that the reports are in: what follows the bucket in SEED_WORM_URL."
  type        = string
  default     = "reports"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*$", var.report_prefix))
    error_message = "The prefix is lower-case letters, digits and hyphens, with a slash between folders only."
  }
}

variable "access_log_bucket" {
  description = "Name of an existing bucket that takes the access logs of the report bucket."
  type        = string
}

variable "retention_days" {
  description = "Days for which nobody, the root account included, can delete a report or shorten its retention."
  type        = number
  default     = 366

  validation {
    # The store refuses a bucket of less than a year, and each report asks for one day more.
    condition     = var.retention_days >= 366 && var.retention_days <= 3650
    error_message = "The retention is 366 to 3650 days."
  }
}

variable "writer_role_arns" {
  description = "Roles of the pods that write reports and read them back: run, code and api."
  type        = list(string)

  validation {
    condition     = length(var.writer_role_arns) > 0
    error_message = "At least one role has to write reports."
  }
}

variable "key_administrator_arns" {
  description = "Roles that administer the encryption key of the bucket."
  type        = list(string)

  validation {
    condition     = length(var.key_administrator_arns) > 0
    error_message = "Without an administrator the key could never be changed again."
  }
}

variable "policy_administrator_arn" {
  description = "The one role that may change the bucket's policy, and so the role that applies this."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.policy_administrator_arn))
    error_message = "The administrator of the policy is one role, by its ARN."
  }
}

variable "tenants" {
  description = "The tenants of each environment: each pair has a masking key of its own."
  type        = map(set(string))

  validation {
    condition = alltrue([
      for name in concat(keys(var.tenants), flatten([for tenants in values(var.tenants) : tolist(tenants)])) :
      can(regex("^[a-z][a-z0-9-]{0,62}$", name))
    ])
    error_message = "Environments and tenants are named by lower-case letters, digits and hyphens, as in a manifest."
  }

  validation {
    condition     = !contains(keys(var.tenants), "dev")
    error_message = "Environment dev has no key in Vault: its key is a file of the developer's."
  }
}

variable "transit_mount" {
  description = "Path of the Transit engine."
  type        = string
  default     = "transit"
}

variable "kubernetes_auth_mount" {
  description = "Path of Vault's Kubernetes login."
  type        = string
  default     = "kubernetes"
}

variable "namespaces" {
  description = "Namespace of each environment: pods of one cannot log in as another."
  type        = map(string)

  validation {
    condition     = length(distinct(values(var.namespaces))) == length(var.namespaces)
    error_message = "Each environment has a namespace of its own."
  }
}

variable "fullname" {
  description = "What the names of the chart's service accounts begin with: <release>-seed-pipelines."
  type        = string
  default     = "seed-seed-pipelines"
}

variable "database" {
  description = "Database that the datasets are written to."
  type        = string
}

variable "database_passwords" {
  description = "Passwords of the roles that log in; take them from the secret store, never from a file."
  type        = map(string)
  sensitive   = true

  validation {
    condition = toset(keys(var.database_passwords)) == toset([
      "seed_migrator", "seed_loader", "seed_auditor", "seed_application", "seed_api", "seed_reader",
    ])
    error_message = "A password for each of seed_migrator, seed_loader, seed_auditor, seed_application, seed_api and seed_reader."
  }
}

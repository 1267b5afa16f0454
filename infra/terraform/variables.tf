variable "report_bucket" {
  description = "Name of the bucket of the signed reports."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.report_bucket))
    error_message = "A bucket is named by 3 to 63 lower-case letters, digits, dots and hyphens."
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
  description = "Roles of the run pods: they write reports and read them back."
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

variable "kubernetes_namespace" {
  description = "Namespace of the run pods."
  type        = string
  default     = "seed"
}

variable "run_service_account" {
  description = "Service account of the run pods."
  type        = string
  default     = "seed-pipelines-run"
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

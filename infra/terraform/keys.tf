# The keys: one to mask and one to wrap the data key of each tenant in each environment, one to sign the reports of each
# environment. The policies are the files that the tests load into a real server.
locals {
  seeds = merge([
    for environment, tenants in var.tenants : {
      for tenant in tenants : "${environment}-${tenant}" => { environment = environment, tenant = tenant }
    }
  ]...)

  mask_policy     = file("${path.module}/../vault/mask.hcl")
  operator_policy = file("${path.module}/../vault/key-operator.hcl")
  signer_policy   = file("${path.module}/../vault/report-signer.hcl")
}

resource "vault_mount" "transit" {
  path        = var.transit_mount
  type        = "transit"
  description = "Keys of seed-pipelines: they never leave it"
}

resource "vault_transit_secret_backend_key" "mask" {
  for_each = local.seeds

  backend                = vault_mount.transit.path
  name                   = "seed-${each.key}"
  type                   = "hmac"
  key_size               = 32
  exportable             = false
  allow_plaintext_backup = false
  deletion_allowed       = false
}

# Wraps the data key of a tenant: rotating it wraps that one anew and changes no row.
resource "vault_transit_secret_backend_key" "data" {
  for_each = local.seeds

  backend                = vault_mount.transit.path
  name                   = "seed-${each.key}.data"
  type                   = "aes256-gcm96"
  exportable             = false
  allow_plaintext_backup = false
  deletion_allowed       = false
}

resource "vault_transit_secret_backend_key" "signing" {
  for_each = var.tenants

  backend                = vault_mount.transit.path
  name                   = "seed-report-${each.key}"
  type                   = "rsa-3072"
  exportable             = false
  allow_plaintext_backup = false
  deletion_allowed       = false
}

resource "vault_policy" "mask" {
  for_each = local.seeds

  name   = "seed-mask-${each.key}"
  policy = replace(replace(local.mask_policy, "ENVIRONMENT", each.value.environment), "TENANT", each.value.tenant)
}

resource "vault_policy" "key_operator" {
  for_each = local.seeds

  name   = "seed-key-operator-${each.key}"
  policy = replace(replace(local.operator_policy, "ENVIRONMENT", each.value.environment), "TENANT", each.value.tenant)
}

resource "vault_policy" "report_signer" {
  for_each = var.tenants

  name   = "seed-report-signer-${each.key}"
  policy = replace(local.signer_policy, "ENVIRONMENT", each.key)
}

# Who masks or signs: run pods, the code location with its report sensor, and the API.
resource "vault_kubernetes_auth_backend_role" "run" {
  for_each = var.tenants

  backend                          = var.kubernetes_auth_mount
  role_name                        = "seed-${each.key}"
  bound_service_account_names      = [for component in ["run", "code", "api"] : "${var.fullname}-${component}"]
  bound_service_account_namespaces = [var.namespaces[each.key]]
  audience                         = "vault"
  token_ttl                        = 900
  token_policies = concat(
    [vault_policy.report_signer[each.key].name],
    [for tenant in each.value : vault_policy.mask["${each.key}-${tenant}"].name],
  )
}

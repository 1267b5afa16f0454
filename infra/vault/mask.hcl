# What a seed run of one tenant in one environment may do: look at its masking key, and derive from it; have a data key
# made that it does not see, and open what the tenant's wrapping key wrapped. Replace ENVIRONMENT and TENANT; infra/vault/README.md has the command.
path "transit/keys/seed-ENVIRONMENT-TENANT" {
  capabilities = ["read"]
}

path "transit/hmac/seed-ENVIRONMENT-TENANT/sha2-256" {
  capabilities = ["update"]

  # The only input that is allowed is the constant "seed-pipelines/mask/prk/v1" in base64: whoever holds this role
  # cannot ask for the HMAC of a person's CPF, and batch_input is denied because it is not named.
  allowed_parameters = {
    "input"       = ["c2VlZC1waXBlbGluZXMvbWFzay9wcmsvdjE="]
    "key_version" = []
  }
}

path "transit/keys/seed-ENVIRONMENT-TENANT.data" {
  capabilities = ["read"]
}

path "transit/datakey/wrapped/seed-ENVIRONMENT-TENANT.data" {
  capabilities = ["update"]

  # No parameter at all: 256 bits, and no context or batch.
  denied_parameters = {
    "*" = []
  }
}

path "transit/decrypt/seed-ENVIRONMENT-TENANT.data" {
  capabilities = ["update"]

  allowed_parameters = {
    "ciphertext" = []
  }
}

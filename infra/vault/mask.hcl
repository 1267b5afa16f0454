# What a seed run of one tenant in one environment may do: look at its masking key, and derive from it.
# Replace ENVIRONMENT and TENANT; infra/vault/README.md has the command.
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

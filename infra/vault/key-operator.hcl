# What a person may do who runs `seed-data keys status` and `seed-data keys rotate` for one tenant in one environment:
# look at the three keys, rotate them, wrap the data key anew without seeing it, and derive from the constant alone, which
# shows the key_check. He signs nothing, decrypts nothing, exports nothing and deletes nothing. Replace ENVIRONMENT and
# TENANT.
path "transit/keys/seed-ENVIRONMENT-TENANT" {
  capabilities = ["read"]
}

path "transit/keys/seed-ENVIRONMENT-TENANT/rotate" {
  capabilities = ["update"]
}

path "transit/hmac/seed-ENVIRONMENT-TENANT/sha2-256" {
  capabilities = ["update"]

  allowed_parameters = {
    "input"       = ["c2VlZC1waXBlbGluZXMvbWFzay9wcmsvdjE="]
    "key_version" = []
  }
}

path "transit/keys/seed-ENVIRONMENT-TENANT.data" {
  capabilities = ["read"]
}

path "transit/keys/seed-ENVIRONMENT-TENANT.data/rotate" {
  capabilities = ["update"]
}

path "transit/rewrap/seed-ENVIRONMENT-TENANT.data" {
  capabilities = ["update"]

  allowed_parameters = {
    "ciphertext" = []
  }
}

path "transit/keys/seed-report-ENVIRONMENT" {
  capabilities = ["read"]
}

path "transit/keys/seed-report-ENVIRONMENT/rotate" {
  capabilities = ["update"]
}

# What the writer of reports of one environment may do: sign a SHA-256 digest with RSA-PSS and a salt as long as the
# hash, in no other way. Replace ENVIRONMENT.
path "transit/keys/seed-report-ENVIRONMENT" {
  capabilities = ["read"]
}

path "transit/sign/seed-report-ENVIRONMENT/sha2-256" {
  capabilities = ["update"]

  allowed_parameters = {
    "input"               = []
    "prehashed"           = [true]
    "signature_algorithm" = ["pss"]
    "salt_length"         = ["hash"]
    "key_version"         = []
  }
}

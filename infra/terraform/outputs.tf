output "worm_url" {
  description = "SEED_WORM_URL of the run pods."
  value       = "s3://${aws_s3_bucket.reports.bucket}"
}

output "vault_roles" {
  description = "SEED_VAULT_KUBERNETES_ROLE of each environment."
  value       = { for environment, role in vault_kubernetes_auth_backend_role.run : environment => role.role_name }
}

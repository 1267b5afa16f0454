output "worm_url" {
  description = "SEED_WORM_URL, worm.url of the chart."
  value       = "s3://${aws_s3_bucket.reports.bucket}/${var.report_prefix}"
}

output "vault_roles" {
  description = "SEED_VAULT_KUBERNETES_ROLE of each environment, vault.role of the chart."
  value       = { for environment, role in vault_kubernetes_auth_backend_role.run : environment => role.role_name }
}

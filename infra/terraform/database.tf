# The roles of seed_pipelines/sql/bootstrap.sql, with their passwords. seed_owner owns every schema and cannot log in;
# the rest own nothing, inherit nothing and bypass nothing. `seed-data db migrate` does the rest.
locals {
  login_roles = toset(["seed_migrator", "seed_loader", "seed_auditor", "seed_application", "seed_api", "seed_reader"])
}

resource "postgresql_role" "owner" {
  name                      = "seed_owner"
  login                     = false
  inherit                   = false
  superuser                 = false
  create_database           = false
  create_role               = false
  replication               = false
  bypass_row_level_security = false
}

resource "postgresql_role" "login" {
  for_each = local.login_roles

  name                      = each.key
  login                     = true
  inherit                   = false
  superuser                 = false
  create_database           = false
  create_role               = false
  replication               = false
  bypass_row_level_security = false
  password                  = var.database_passwords[each.key]
  roles                     = each.key == "seed_migrator" ? [postgresql_role.owner.name] : []
}

resource "postgresql_extension" "pgcrypto" {
  name     = "pgcrypto"
  database = var.database
}

resource "postgresql_grant" "owner_creates_schemas" {
  database    = var.database
  role        = postgresql_role.owner.name
  object_type = "database"
  privileges  = ["CREATE"]
}

resource "postgresql_grant" "nobody_creates_temporary_tables" {
  database    = var.database
  role        = "public"
  object_type = "database"
  privileges  = ["CONNECT"]
}

resource "postgresql_grant" "nobody_creates_in_public" {
  database    = var.database
  role        = "public"
  schema      = "public"
  object_type = "schema"
  privileges  = ["USAGE"]
}

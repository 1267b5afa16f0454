# The reports: locked when they are made, encrypted with a key of their own, reached over TLS, by named roles.
data "aws_caller_identity" "current" {}

resource "aws_kms_key" "reports" {
  description             = "Reports of seed-pipelines in ${var.report_bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "reports" {
  name          = "alias/seed-pipelines-reports"
  target_key_id = aws_kms_key.reports.key_id
}

data "aws_iam_policy_document" "key" {
  statement {
    sid = "Administer"
    actions = [
      "kms:CancelKeyDeletion", "kms:Create*", "kms:Describe*", "kms:Disable*", "kms:Enable*", "kms:Get*", "kms:List*",
      "kms:Put*", "kms:Revoke*", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*",
    ]
    resources = ["arn:aws:kms:*:${data.aws_caller_identity.current.account_id}:key/*"]

    principals {
      type        = "AWS"
      identifiers = var.key_administrator_arns
    }
  }

  statement {
    sid       = "WriteAndReadReports"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = ["arn:aws:kms:*:${data.aws_caller_identity.current.account_id}:key/*"]

    principals {
      type        = "AWS"
      identifiers = var.writer_role_arns
    }
  }
}

resource "aws_s3_bucket" "reports" {
  #checkov:skip=CKV_AWS_144:A second region is the installation's choice; Object Lock replicates only to a locked bucket.
  #checkov:skip=CKV2_AWS_62:Nothing listens: the outbox in the database knows which reports are written.
  bucket              = var.report_bucket
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "reports" {
  bucket = aws_s3_bucket.reports.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "reports" {
  bucket = aws_s3_bucket.reports.id

  rule {
    default_retention {
      mode = "COMPLIANCE"
      days = var.retention_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.reports]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "reports" {
  bucket = aws_s3_bucket.reports.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.reports.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "reports" {
  bucket                  = aws_s3_bucket.reports.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "reports" {
  bucket = aws_s3_bucket.reports.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "reports" {
  bucket        = aws_s3_bucket.reports.id
  target_bucket = var.access_log_bucket
  target_prefix = "${var.report_bucket}/"
}

resource "aws_s3_bucket_lifecycle_configuration" "reports" {
  bucket = aws_s3_bucket.reports.id

  rule {
    id     = "rest-cheaply-and-leave-no-halves"
    status = "Enabled"

    filter {}

    transition {
      days          = 90
      storage_class = "STANDARD_IA"
    }

    # Only a lost upload has parts; a report is one PutObject.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# What each statement is for, as AWS has it: a put that asks for a lock needs PutObjectRetention too, and may then ask for
# COMPLIANCE of at least a year only. The default retention of a bucket may be shortened, so nobody may change it, who
# applies this included: a new one begins with another policy, which one role alone may set.
resource "aws_s3_bucket_policy" "reports" {
  bucket = aws_s3_bucket.reports.id
  policy = templatefile("${path.module}/bucket-policy.json.tftpl", {
    bucket_arn           = aws_s3_bucket.reports.arn
    prefix               = var.report_prefix
    writers              = var.writer_role_arns
    policy_administrator = var.policy_administrator_arn
  })

  # Once the policy is there, neither can be set any more.
  depends_on = [aws_s3_bucket_public_access_block.reports, aws_s3_bucket_object_lock_configuration.reports]
}

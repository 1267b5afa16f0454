-- access_record --
-- One answer of the policy. When, and whether it was a yes, the database says.
INSERT INTO seed_control.access_decision (
    subject_digest, action, environment, tenant, mode, rule, policy_version, policy_sha256
)
VALUES (%(subject_digest)s::text, %(action)s::text, %(environment)s::text, %(tenant)s::text, %(mode)s::text,
    %(rule)s::text, %(policy_version)s::text, %(policy_sha256)s::text);

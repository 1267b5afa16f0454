-- data_key_of --
-- A tenant's data key, as it was wrapped last, with the check that it had at first. No row back: it was never made.
SELECT last.generation, last.wrapping_key, last.wrapping_version, last.wrapped, first.key_check
FROM seed_control.data_key AS last
JOIN seed_control.data_key AS first USING (environment, tenant, purpose)
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND purpose = %(purpose)s::text
    AND first.generation = 1
ORDER BY last.generation DESC
LIMIT 1;

-- data_key_keep --
-- One more generation; the first of two writers at once decides.
INSERT INTO seed_control.data_key (environment, tenant, purpose, generation, wrapping_key, wrapping_version, wrapped,
    key_check)
VALUES (%(environment)s::text, %(tenant)s::text, %(purpose)s::text, %(generation)s::integer, %(wrapping_key)s::text,
    %(wrapping_version)s::integer, %(wrapped)s::text, %(key_check)s::text)
ON CONFLICT DO NOTHING;

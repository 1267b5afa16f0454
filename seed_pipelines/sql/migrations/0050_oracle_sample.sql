-- How many loans of a batch the official calculation was asked about: the report says it.
ALTER TABLE seed_control.checkpoint ADD COLUMN oracle_loans integer NOT NULL DEFAULT 0 CHECK (oracle_loans >= 0);

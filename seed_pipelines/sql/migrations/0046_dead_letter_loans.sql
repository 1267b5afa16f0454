-- Where a batch was refused because it disagrees with the official calculation: which of its loans, counted from the
-- batch's first. An ordinal says nothing about anybody.
ALTER TABLE seed_control.dead_letter ADD COLUMN loans integer[] NOT NULL DEFAULT '{}';
GRANT UPDATE (loans) ON seed_control.dead_letter TO seed_loader;

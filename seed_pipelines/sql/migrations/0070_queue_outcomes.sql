-- Why a wait ended, told apart: a waiter that was refused meanwhile, and with which error; and one that died. What was
-- written before stays as it was.
ALTER TABLE seed_control.queue_entry ADD COLUMN error_code text;
ALTER TABLE seed_control.queue_entry ADD CONSTRAINT queue_entry_outcome_known
    CHECK (outcome IN ('started', 'expired', 'cancelled', 'refused', 'died')) NOT VALID;
ALTER TABLE seed_control.queue_entry ADD CONSTRAINT queue_entry_refused_by
    CHECK ((error_code IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'refused')) NOT VALID;
-- The wider one above takes its place in the same transaction.
-- squawk-ignore ban-drop-constraint
ALTER TABLE seed_control.queue_entry DROP CONSTRAINT queue_entry_outcome_check;
GRANT UPDATE (error_code) ON seed_control.queue_entry TO seed_loader;

-- Apart from the migration that makes them: in one transaction, looking at every row would keep readers out.
ALTER TABLE seed_control.queue_entry VALIDATE CONSTRAINT queue_entry_outcome_known;
ALTER TABLE seed_control.queue_entry VALIDATE CONSTRAINT queue_entry_refused_by;

-- When the last request was reserved: by so much as it lies in the future, the server's clock was set back. How far the
-- next arrival lies ahead cannot tell that; a burst of a day and the waits of many shards reach as far.
ALTER TABLE seed_control.rate_limit ADD COLUMN reserved_at timestamptz;

"""The Dagster door: jobs, ops, schedules, sensors and checks. It holds no rule of its own; flow.py does the work."""

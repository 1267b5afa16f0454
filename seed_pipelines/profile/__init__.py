"""What a loaded dataset looks like, beside what it is meant to look like."""

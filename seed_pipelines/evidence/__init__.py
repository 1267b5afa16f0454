"""Evidence: what a seed run did, signed, in write-once storage, and how anybody can check it."""

"""Mappings: which tables of an application the entities fill, and how. Pure: bytes come in as arguments."""

"""Manifests: strict loading, schema and model, hash and seal, window. Pure: bytes and times come in as arguments."""

"""Masking: real-looking values become other real-looking values of the same form, then OpenPGP messages."""

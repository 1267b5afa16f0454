"""Rows out of nothing but names and row numbers: the same bytes whoever asks, in whatever order."""

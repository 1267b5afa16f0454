"""Loading: preflight, copy, build, seal, publish."""

"""The terminal door. Nothing heavy is imported before a command needs it: help has to come at once."""

"""The generator's version, part of every dataset's hash: it changes when any row of any plan changes."""

GENERATOR_VERSION = "1.2.0"

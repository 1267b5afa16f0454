"""seed-pipelines: believable, masked, repeatable data for a multi-tenant lending platform."""

__version__ = "0.1.0"

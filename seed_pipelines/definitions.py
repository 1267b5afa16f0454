"""What Dagster loads. Like every door it reads the environment, once, and builds everything in one call."""

from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

defs = definitions_of(Installation.of(from_environment()))

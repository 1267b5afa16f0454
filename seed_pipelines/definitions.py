"""What Dagster loads. Like every door it reads the environment, once, and builds everything in one call."""

import gc

from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

# What is built here lives as long as the process: the collector need not walk through it, again and again.
gc.disable()
defs = definitions_of(Installation.of(from_environment()))
gc.freeze()
gc.enable()

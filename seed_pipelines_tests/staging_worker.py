"""A seed run outside dev, driven step by step as a Dagster worker would: a session for each step, opened and closed."""

from contextlib import contextmanager
from dataclasses import asdict
from uuid import uuid4

from seeded import TRACEPARENT

from seed_pipelines import flow
from seed_pipelines.control.runs import RunRequest
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.outside.postgres import connected
from seed_pipelines.session import opened

PATH = "staging/acme.yaml"
SHARD = "0000"


class Worker:
    """One seed run, a session for each step, as a Dagster worker has it."""

    def __init__(self, staging, *, key="first"):
        self.staging, self.key = staging, key
        self.installation = staging.installation
        self.manifest = self.installation.manifest(PATH)
        self.plan = self.installation.plan(self.manifest)
        self.entities = list(self.plan.rows)
        self.name = uuid4().hex

    @contextmanager
    def step(self, name):
        """The session of one step and its seed run; concluded at its end, left behind where it fails."""
        run = None
        try:
            with opened(self.installation, self.manifest, worker=self.name) as session:
                with session.telemetry.span("seed.run", traceparent=TRACEPARENT, shard=SHARD):
                    run = flow.begin(session, self.plan, self._request(session))
                    yield session, run
                flow.conclude(session, run, step=f"{SHARD}/{name}")
        except BaseException as error:
            if run is not None:
                with connected(self.staging.seeded.loader_url) as connection:
                    flow.leave(connection, run.id, worker=self.name, error=error)
            raise

    def load(self, *entities, after_opening=lambda: None):
        with self.step("+".join(entities)) as (session, run):
            after_opening()
            for entity in entities:
                flow.load_entity(session, self.plan, run, shard=SHARD, entity=entity)

    def publish(self, after_opening=lambda: None):
        with self.step("publish") as (session, run):
            after_opening()
            return flow.publish(session, self.plan, run, shard=SHARD)

    def deliver(self):
        with connected(self.staging.seeded.loader_url) as connection:
            return deliver_waiting(
                connection,
                store_of=self.installation.report_store,
                signer_of=self.installation.signer,
            )

    def _request(self, session):
        return RunRequest(
            seed_run_id=uuid4(),
            idempotency_key=self.key,
            manifest_path=PATH,
            generator_version=GENERATOR_VERSION,
            vocabulary_sha256=vocabulary().sha256,
            key_check=session.keys.key_check,
            mask_key=asdict(session.keys.origin),
            flags={},
            traceparent=TRACEPARENT,
        )

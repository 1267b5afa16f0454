"""Evidence and signers for tests of reports."""

import dataclasses
import functools
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from seed_pipelines.evidence.facts import (
    BatchFact,
    BudgetUsage,
    CheckpointFact,
    MaskingKey,
    Outcome,
    PreflightFact,
    RateLimitUsage,
    RunEvidence,
    Slo,
    SloReached,
    SloTargets,
    TelemetryFact,
)
from seed_pipelines.evidence.signature import DevSigner, public_pem

START = datetime(2026, 11, 2, 22, 0, tzinfo=UTC)


@functools.cache
def private_key(name="ours"):
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_signer(name="ours"):
    return DevSigner(private_key(name))


def make_public_pem(name="ours"):
    return public_pem(private_key(name).public_key())


def make_evidence(*, batches=2, **changes):
    rows = {"tenants": 1, "customers": 500 * batches}
    evidence = RunEvidence(
        run_id="0192f0c1-7b1e-7c3a-9d55-0d8a4f3b2c11",
        tenant="acme",
        environment="dev",
        idempotency_key="nightly-2026-11-02",
        manifest_path="dev/acme.yaml",
        manifest_hash_sha256="a" * 64,
        manifest_version="1.2.0",
        schema_version="1.0.0",
        salt_version="1",
        mode="baseline",
        reference_datetime=datetime(2026, 11, 2, tzinfo=UTC),
        outcome=Outcome.PUBLISHED,
        started_at=START,
        finished_at=START + timedelta(seconds=42),
        caps={"tenants": 1, "customers": 1000},
        planned_rows=rows,
        actual_rows=rows,
        rate_limit_usage=RateLimitUsage(limit=200, window_seconds=1, burst=400, granted=batches + 1, waited_ms=0),
        budget_usage=BudgetUsage(cap_micro_brl=10_000_000, planned_micro_brl=2_500, spent_micro_brl=2_500),
        slo=Slo(
            targets=SloTargets(p95_target_ms=500, p99_target_ms=900, throughput_target_rps=1000),
            reached=SloReached(p95_us=81_250, p99_us=99_001, throughput_rps=12_345),
        ),
        batches=(_batch("tenants", 0, 1), *(_batch("customers", number, 500) for number in range(batches))),
        checkpoints=(_checkpoint("tenants", 0), *(_checkpoint("customers", number) for number in range(batches))),
        errors=(),
        preflight=(PreflightFact(check="rls", ok=True, detail="forced on every table"),),
        masking_key=MaskingKey(source="vault", key="seed-dev-acme", key_version=1, key_check="00ff00ff00ff00ff"),
        generator_version="1.0.0",
        vocabulary_sha256="b" * 64,
        dataset_hash="c" * 64,
        otel_trace_id="d" * 32,
        otel_span_id="e" * 16,
        telemetry=TelemetryFact(exporter="otlp", ok=True, ended=9, exported=9, failed=0),
        previous_report_hash=None,
    )
    return dataclasses.replace(evidence, **changes)


def _batch(entity, number, rows):
    return BatchFact(entity=entity, shard="0000", number=number, first_row=number * rows, rows=rows, elapsed_ms=80)


def _checkpoint(entity, number):
    return CheckpointFact(
        entity=entity,
        shard="0000",
        number=number,
        content_digest=f"{number:032x}",
        fence=7,
        attempt=1,
        committed_at=START + timedelta(seconds=1),
    )

"""What a seed run reached of its targets: p95, p99 and throughput, out of its checkpoints."""

from factories import make_plan
from seed_runs import run_all

from seed_pipelines import flow
from seed_pipelines.evidence.collect import evidence_of
from seed_pipelines.orchestration import metadata


def test_percentiles_and_throughput_are_those_of_the_batches(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20, batch_rows=6)
    published = run_all(session, plan)
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.checkpoint AS c SET elapsed_ms = n.place FROM (SELECT entity, shard, number,"
            " row_number() OVER (ORDER BY entity, shard, number) AS place FROM seed_control.checkpoint) AS n"
            " WHERE (c.entity, c.shard, c.number) = (n.entity, n.shard, n.number)"
        )
        connection.execute("UPDATE seed_control.seed_run SET started_at = finished_at - interval '10 s'")
    reached = evidence_of(session.connection, published.run.id).slo.reached
    batches = plan.total_batches
    assert batches > 100
    assert reached.p95_us == -(-batches * 95 // 100) * 1000
    assert reached.p99_us == -(-batches * 99 // 100) * 1000
    assert reached.throughput_rps == round(plan.total_rows / 10)
    loaded = flow.load_entity(session, plan, published.run, shard="0000", entity="installments")
    own = sorted(checkpoint.elapsed_ms for checkpoint in loaded.checkpoints)
    told = metadata.of_load(loaded, published.run)
    assert told["p95_batch_ms"] == own[-(-len(own) * 95 // 100) - 1]
    assert told["p99_batch_ms"] == own[-(-len(own) * 99 // 100) - 1]

"""The purge as Dagster runs it: in process, on a real PostgreSQL."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.session import Installation
from seed_pipelines.settings import Settings


@pytest.fixture
def installation(seeded, tmp_path):
    (tmp_path / "manifests").mkdir()
    return Installation.of(
        Settings(home=tmp_path, manifests=tmp_path / "manifests", database_url=seeded.loader_url, environment="dev")
    )


@pytest.fixture
def expired_dataset(seeded, open_session):
    session, plan = open_session(), make_plan(customers=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.dataset SET expires_at = now() - interval '1 minute'")
    return session, plan


def purged(installation):
    job = definitions_of(installation).resolve_job_def("purge_expired")
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


def test_the_job_purges_what_expired_and_has_nothing_to_do_afterwards(seeded, installation, expired_dataset):
    assert purged(installation).success
    assert seeded.value("SELECT count(*) FROM app.loans") == 0
    assert purged(installation).success
    assert seeded.value("SELECT count(*) FROM seed_control.purge_log") == 1


def test_a_dataset_of_a_tenant_at_work_is_left_for_the_next_hour(seeded, installation, expired_dataset):
    session, plan = expired_dataset
    flow.begin(session, plan, request_for(session, "again"))
    assert purged(installation).success
    assert seeded.value("SELECT count(*) FROM seed_control.dataset") == 1


def test_a_dataset_that_others_refer_to_fails_the_run_and_names_them(seeded, installation, expired_dataset):
    with seeded.superuser() as connection:
        connection.execute(
            "CREATE TABLE public.tickets (id bigint PRIMARY KEY, tenant_id uuid, loan_id bigint, "
            "FOREIGN KEY (tenant_id, loan_id) REFERENCES app.loans (tenant_id, id))"
        )
        connection.execute("GRANT SELECT ON public.tickets TO seed_owner")
        connection.execute("INSERT INTO public.tickets SELECT 41, tenant_id, min(id) FROM app.loans GROUP BY 2")
    result = purged(installation)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "public.tickets to loans: ids 41" in failure.step_failure_data.user_failure_data.description


@pytest.mark.parametrize(("environment", "status"), [("dev", "STOPPED"), (None, "STOPPED"), ("staging", "RUNNING")])
def test_the_schedule_is_hourly_in_utc_and_off_where_dev_is_served(tmp_path, environment, status):
    (tmp_path / "manifests").mkdir()
    settings = Settings(home=tmp_path, manifests=tmp_path / "manifests", environment=environment)
    schedule = definitions_of(Installation.of(settings)).resolve_schedule_def("hourly__purge_expired")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("7 * * * *", "UTC")
    assert schedule.default_status.name == status
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 2, 1, 7, tzinfo=UTC))
    assert len(schedule.evaluate_tick(context).run_requests) == 1

"""The preflight of one worker while another seals: it neither waits nor takes offence."""

import threading

from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.load import preflight


def test_a_preflight_does_not_wait_for_a_table_that_is_being_sealed(seeded, open_session):
    plan, session = make_plan(customers=40), open_session()
    run = flow.begin(session, plan, request_for(session))
    flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    with seeded.superuser() as sealer:
        name = seeded.value("SELECT table_name FROM seed_control.build_table WHERE entity = 'tenants'")
        sealer.execute("BEGIN")
        sealer.execute(f"LOCK TABLE seed_build.{name} IN ACCESS EXCLUSIVE MODE")
        done = threading.Event()

        def look():
            with seeded.connection() as connection:
                preflight.assert_safe(connection, tuple(plan.rows))
            done.set()

        looker = threading.Thread(target=look)
        looker.start()
        was_in_time = done.wait(3)
        sealer.execute("ROLLBACK")
        looker.join()
    assert was_in_time

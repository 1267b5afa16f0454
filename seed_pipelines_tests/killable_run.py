"""A seed run in a process of its own that stops at a named point and says so, so that a test can kill it there.

It reads what to do as JSON from its first line of input. At the point it writes `there` and waits for a second line;
at its end it writes one JSON line: how each attempt ended, as a door would report it.
"""

import json
import sys
from pathlib import Path

from seed_runs import lean_plan
from seeded import open_one_session, request_for

from seed_pipelines import flow
from seed_pipelines.errors import SeedError
from seed_pipelines.load import copy
from seed_pipelines.load import publish as publishing
from seed_pipelines.outside.postgres import transaction


def main():
    task = json.loads(sys.stdin.readline())
    plan = lean_plan(**task["plan"])
    stop_at(task["point"], task["nth"])
    endings = []
    while not endings or (endings[-1]["retryable"] and len(endings) < 4):
        endings.append(attempt(task, plan))
    say(json.dumps(endings))


def attempt(task, plan):
    """What a Dagster run does with one shard, the way it leaves included."""
    with open_one_session(
        task["url"], Path(task["home"]), worker=task["worker"], lease_seconds=task["lease_seconds"]
    ) as session:
        # The product waits fifteen seconds for a transaction that sleeps; a test has less time.
        with_short_idle(session)
        run = None
        try:
            run = flow.begin(session, plan, request_for(session, task["key"]))
            for shard in plan.shard_keys:
                for entity in plan.rows:
                    flow.load_entity(session, plan, run, shard=shard, entity=entity)
                published = flow.publish(session, plan, run, shard=shard)
        except SeedError as error:
            if not error.retryable and run is not None:
                flow.leave(session.connection, run.id, worker=session.worker, error=error)
            return {"code": error.code, "retryable": error.retryable, "message": str(error)}
        return {"code": "published", "retryable": False, "hash": published.dataset_hash}


def with_short_idle(session):
    session.connection.execute("SET idle_in_transaction_session_timeout = '2s'")


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_here():
    say("there")
    sys.stdin.readline()


def counted(nth):
    """True the nth time and never again."""
    calls = []

    def is_the_one():
        calls.append(True)
        return len(calls) == nth

    return is_the_one


def stop_at(point, nth):
    """Put the stop into the flow: around the real step, or between two of its halves."""
    if point is None:
        return
    is_the_one = counted(nth)
    around = {
        "before a batch": lambda: stop_before(flow, "_write", is_the_one),
        "in the middle of a copy": lambda: stop_between_pieces(is_the_one),
        "inside a batch": lambda: stop_after(copy, "copy_rows", is_the_one),
        "after a batch": lambda: stop_after(flow, "_write", is_the_one),
        "in seal": lambda: stop_before_commit(publishing, "seal", is_the_one),
        "before the publication": lambda: stop_before(publishing, "publish", is_the_one),
        "in publish": lambda: stop_before_commit(publishing, "publish", is_the_one),
        "after publish": lambda: stop_after(publishing, "publish", is_the_one),
    }
    around[point]()


def stop_before(module, name, is_the_one):
    real = getattr(module, name)

    def stopping(*given, **named):
        if is_the_one():
            wait_here()
        return real(*given, **named)

    setattr(module, name, stopping)


def stop_after(module, name, is_the_one):
    real = getattr(module, name)

    def stopping(*given, **named):
        answer = real(*given, **named)
        if is_the_one():
            wait_here()
        return answer

    setattr(module, name, stopping)


def stop_before_commit(module, name, is_the_one):
    real = getattr(module, name)

    def stopping(connection, *given, **named):
        with transaction(connection):
            answer = real(connection, *given, **named)
            if is_the_one():
                wait_here()
        return answer

    setattr(module, name, stopping)


def stop_between_pieces(is_the_one):
    real = copy.encoded

    def stopping(rows):
        pieces = real(rows)
        return pieces_with_a_stop(pieces) if is_the_one() else pieces

    def pieces_with_a_stop(pieces):
        first, *rest = pieces
        yield first
        wait_here()
        yield from rest

    copy.encoded = stopping


if __name__ == "__main__":
    main()

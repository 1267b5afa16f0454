"""The running API against its contract: whatever the contract allows, and what it does not, is answered as it says.

Two checks are left out. A request may be well-formed and still mean nothing, as a manifest that is not there does, so
not all that fits the schema is accepted; and 428 is the answer to a missing If-Match, which RFC 6585 made for it.
"""

import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import schemathesis
from dev_server import running_dev_server
from hypothesis import HealthCheck, given, settings
from pact import Verifier
from portal_pact import API, FILE, PUBLISHED_ID
from schemathesis.checks import missing_required_header, negative_data_rejection, positive_data_acceptance
from sealed_manifests import write_manifest
from seed_runs import load_all, publish_all
from seeded import request_for
from served_api import headers_for, portal_headers
from small_manifests import SMALL

from seed_pipelines import flow
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.session import Installation, opened
from seed_pipelines.settings import Settings

pytestmark = pytest.mark.slow

CONTRACT = Path(__file__).parents[2] / "contracts/openapi.yaml"
SHIPPED_POLICY = Path(__file__).parents[2] / "infra/access/policy.yaml"
# The portal's rule is the shipped one.
RULE_FOR_THE_OTHERS = """\
  - name: the-others
    who: {subjects: [somebody]}
    actions: [validate, run, cancel, read]
    tenants: ["*"]
    environments: [dev]
    modes: ["*"]
"""
SCHEMA = schemathesis.openapi.from_path(CONTRACT)
ALL = [result.ok() for result in SCHEMA.get_all_operations()]
OPERATIONS = [(operation.method, operation.path) for operation in ALL]
NOT_CHECKED = [positive_data_acceptance, missing_required_header]
BOUNDED = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(postgres_server, open_session_directory):
    home = open_session_directory / "contract" / "home"
    manifests = home.parent / "manifests"
    home.parent.mkdir()
    write_manifest(manifests, **SMALL)
    policy = home.parent / "policy.yaml"
    policy.write_text(SHIPPED_POLICY.read_text(encoding="utf-8") + RULE_FOR_THE_OTHERS, encoding="utf-8")
    with running_dev_server(home, manifests, SEED_API_QUOTA="100000/60", SEED_API_POLICY=str(policy)) as started:
        started.wait_for_api()
        yield started


def test_the_api_keeps_the_pact_with_the_portal(server):
    publish(server)
    verifier = Verifier(API, host="127.0.0.1").add_source(FILE).add_transport(url=server.api_url)
    verifier.add_custom_headers({"Authorization": portal_headers(server.home)["Authorization"]})
    # The states of the pact hold already: nothing has to be made for them.
    verifier.verify()


def publish(server):
    """The seed run of the pact, by the same flow as in every door, and its report."""
    installation = Installation.of(Settings(home=server.home, manifests=server.manifests))
    manifest = parse_manifest((server.manifests / "dev/acme.yaml").read_bytes(), source="dev/acme.yaml")
    plan = installation.plan(manifest)
    with opened(installation, manifest, worker="portal") as session:
        request = replace(request_for(session, "of the pact"), seed_run_id=UUID(PUBLISHED_ID))
        run = flow.begin(session, plan, request)
        load_all(session, plan, run)
        publish_all(session, plan, run)
        deliver_waiting(
            session.connection,
            store_of=installation.report_store,
            signer_of=installation.signer,
        )


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_answers_as_the_contract_says(server, method, path):
    headers = headers_for(server.home)

    @BOUNDED
    @given(case=SCHEMA[path][method].as_strategy())
    def holds(case):
        case.call_and_validate(base_url=server.api_url, headers=headers, excluded_checks=NOT_CHECKED, timeout=30)

    holds()


def test_calls_that_follow_one_another_are_answered_as_the_contract_says(server):
    headers, seen = headers_for(server.home), set()

    class Machine(SCHEMA.as_state_machine()):
        def before_call(self, case):
            # No chance would find a manifest that is there.
            if case.operation.label == "POST /api/v1/seed-runs" and isinstance(case.body, dict):
                case.body |= {"manifest_path": "dev/acme.yaml", "mode": "baseline", "canary": None}

        def get_call_kwargs(self, case):
            return {"base_url": server.api_url, "headers": headers, "timeout": 30}

        def validate_response(self, response, case, additional_checks=(), **kwargs):
            seen.add((case.operation.label, response.status_code))
            # The caller's own headers stand in for what was made up for them, so nothing wrong is sent in these.
            case.validate_response(response, excluded_checks=[*NOT_CHECKED, negative_data_rejection])

    Machine.run(settings=settings(BOUNDED, max_examples=6, stateful_step_count=5))
    assert ("POST /api/v1/seed-runs", 201) in seen


def started_once_the_tenant_is_free(server, headers):
    """What the calls before have started may still be at work, and only one may be."""
    wished = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "by-every-link"}
    for turn in range(120):
        sent = headers | {"Idempotency-Key": f"by-every-link-{turn}"}
        answer = httpx.post(f"{server.api_url}/api/v1/seed-runs", json=wished, headers=sent, timeout=30)
        if answer.status_code != 409:
            break
        time.sleep(1)
    return answer


def test_a_seed_run_that_was_started_can_be_asked_for_by_every_link(server):
    headers = headers_for(server.home)
    started = started_once_the_tenant_is_free(server, headers)
    assert started.status_code == 201

    def asked(link):
        operation = next(found for found in ALL if found.definition.raw["operationId"] == link["operationId"])
        case = operation.Case(path_parameters={"seed_run_id": started.json()["seed_run_id"]})
        sent = headers | {"Idempotency-Key": f"by-every-link-{operation.path}"}
        return case.call_and_validate(base_url=server.api_url, headers=sent, excluded_checks=NOT_CHECKED, timeout=30)

    links = SCHEMA.raw_schema["paths"]["/api/v1/seed-runs"]["post"]["responses"]["201"]["links"]
    # There is no report yet, and whoever cancels has to say which state he saw.
    answers = {name: asked(link).status_code for name, link in links.items()}
    assert answers == {"get_seed_run": 200, "get_report": 404, "cancel_seed_run": 428, "follow_seed_run": 200}

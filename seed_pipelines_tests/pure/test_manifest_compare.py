"""What replacing one manifest by another means, and versions."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from manifest_cases import REMOVED, content_of, example, sealed

from seed_pipelines.errors import ManifestGoesBackwards, VersionNotSemVer
from seed_pipelines.manifest.compare import Measured, compare, refuse_regression
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.manifest.semver import SemVer

PUBLISHED = datetime(2026, 11, 2, tzinfo=UTC)


def manifest(like="baseline", **changes):
    return parse_manifest(content_of(sealed(example(like, **changes))), source="x")


def measured(rows=None, cost=None):
    return Measured(rows=rows or {"loans": 2000}, cost_micro_brl=cost)


def change(before=None, after=None, like="baseline", **changes):
    return compare(manifest(like), manifest(like, **changes), before=before or measured(), after=after or measured())


def test_the_same_manifest_means_nothing():
    same = change()
    assert not same.breaking
    assert not same.reseed_needed
    assert same.reasons == same.problems == ()
    assert same.rows_added == same.rows_removed == {}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("window__end_utc", "08:00"),
        ("rate_limit__limit", 100),
        ("rate_limit__burst", REMOVED),
        ("backoff__max_retries", 9),
        ("budget__cost_cap_brl", 20),
        ("slo__p99_target_ms", 2000),
        ("ttl__dr_days", 9),
        ("metadata__profile", "other"),
    ],
)
def test_a_change_of_how_the_run_behaves_needs_no_reseed(place, value):
    found = change(**{place: value})
    assert not found.breaking
    assert not found.reseed_needed
    assert len(found.reasons) == 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("metadata__version", "1.0.1"),
        ("metadata__salt_version", "2"),
        ("metadata__reference_datetime", "2026-12-01T00:00:00Z"),
    ],
)
def test_a_change_of_what_decides_values_is_breaking(place, value):
    found = change(**{place: value})
    assert found.breaking
    assert found.reseed_needed
    assert place.replace("__", ".") in found.reasons[0]


def test_more_rows_need_a_reseed_and_are_not_breaking():
    found = change(before=measured({"loans": 5}), after=measured({"loans": 7, "contracts": 1}))
    assert (found.breaking, found.reseed_needed) == (False, True)
    assert found.rows_added == {"loans": 2, "contracts": 1}
    assert found.rows_removed == {}


def test_fewer_rows_are_breaking():
    found = change(before=measured({"loans": 7, "contracts": 1}), after=measured({"loans": 5}))
    assert found.breaking
    assert found.rows_removed == {"loans": 2, "contracts": 1}


def test_other_states_are_breaking():
    assert change(like="carga", volumetry__loans__states={"delinquent": 1}).breaking


def test_the_cost_before_and_after_is_told():
    found = change(before=measured(cost=1), after=measured(cost=2))
    assert (found.cost_before_micro_brl, found.cost_after_micro_brl) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata__version": "0.9.9"}, "goes backwards"),
        ({"metadata__version": "1.0.0-rc.1"}, "goes backwards"),
        ({"metadata__reference_datetime": "2026-12-01T00:00:00Z"}, "without a new version"),
    ],
)
def test_a_successor_that_a_run_would_refuse_is_a_problem(changes, words):
    (problem,) = change(**changes).problems
    assert words in problem
    with pytest.raises(ManifestGoesBackwards, match=words):
        refuse_regression("1.0.0", PUBLISHED, manifest(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata__version": "1.0.1"},
        {"metadata__version": "1.1.0", "metadata__reference_datetime": "2026-12-01T00:00:00Z"},
        {"ttl__dr_days": 5},
    ],
)
def test_a_successor_with_its_version_in_order_is_taken(changes):
    assert change(**changes).problems == ()
    refuse_regression("1.0.0", PUBLISHED, manifest(**changes))


def test_manifests_of_two_tenants_do_not_replace_each_other():
    (problem,) = change(metadata__tenant="globex").problems
    assert "dev/acme and dev/globex" in problem


def test_versions_are_in_the_order_of_semantic_versioning():
    """The order of the specification's own example, section 11."""
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    versions = [SemVer.parse(text) for text in ordered]
    assert versions == sorted(versions)
    assert all(one < other for one, other in pairwise(versions))
    assert [str(version) for version in versions] == ordered


@pytest.mark.parametrize(
    "text", ["1", "1.0", "v1.0.0", "1.0.0+x", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0\n", "", "1.0.٣"]
)
def test_what_is_no_version_cannot_be_compared(text):
    with pytest.raises(VersionNotSemVer):
        SemVer.parse(text)

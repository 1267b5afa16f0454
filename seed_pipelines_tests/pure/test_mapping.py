"""Mappings: what is taken, what is refused and where, and that the same content is the same mapping."""

from pathlib import Path
from uuid import UUID

import pytest
import yaml

from seed_pipelines.errors import EntityNotMapped, MappingRejected, TenantNotMapped
from seed_pipelines.mapping.load import parse_mapping
from seed_pipelines.mapping.model import SchemaMapping

TEXT = (Path(__file__).parents[1] / "fixtures/shop.mapping.yaml").read_text()
PAGE = (Path(__file__).parents[2] / "docs/reference/mapping.md").read_text()


def refused(old, new):
    assert old in TEXT, old
    with pytest.raises(MappingRejected) as refusal:
        parse_mapping(TEXT.replace(old, new, 1).encode(), source="shop.yaml")
    return refusal.value.problems


def test_a_mapping_is_read_back_as_it_was_stored():
    mapping = parse_mapping(TEXT.encode(), source="shop.yaml")
    again = SchemaMapping.of_data(mapping.as_data())
    assert again == mapping
    assert again.mapping_hash == mapping.mapping_hash


def test_its_hash_is_of_what_it_says_and_not_of_how_it_looks():
    mapping = parse_mapping(TEXT.encode(), source="shop.yaml")
    plain = yaml.safe_dump(yaml.safe_load(TEXT), sort_keys=True)
    assert parse_mapping(plain.encode(), source="other.yaml").mapping_hash == mapping.mapping_hash
    changed = parse_mapping(TEXT.replace("constant: seed", "constant: seeds").encode(), source="shop.yaml")
    assert changed.mapping_hash != mapping.mapping_hash


def test_parents_come_before_children():
    assert parse_mapping(TEXT.encode(), source="shop.yaml").ordered == (
        *("customers", "loans", "bank_accounts", "users", "categories"),
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema: shop\n", "", "schema: field required"),
        ('schema_version: "1.0.0"', 'schema_version: "2.0.0"', "it is not a version 1.x.y of this contract"),
        ("schema: shop\n", "schema: shop; DROP\n", "string should match pattern"),
        ("setting: shop.organization", "setting: row_security", "string should match pattern"),
        ('dev/acme: "1"', "dev/acme: 1", "input should be a valid string"),
        ('dev/acme: "1"', "dev/acme: one", "the value of 'dev/acme' is no bigint"),
        ('  values: {dev/acme: "1", dev/globex: "2"}\n', "", "values are needed where the type is a number"),
        ("type: bigint", "type: varchar", "input should be 'uuid', 'bigint', 'integer' or 'text'"),
        ("table: auth_user", "table: auth_user\n    rows: 3", "extra inputs are not permitted"),
        ("from: sequence", "from: max", "input should be 'sequence', 'own' or 'uuid'"),
        ('{constant: "!"}', "{}", "exactly one of from, constant, object and first_of is needed"),
        ('{constant: "!"}', '{constant: "!", from: name}', "exactly one of from, constant, object and first_of"),
        ('{constant: "!"}', '{constant: "!", open: true}', "values, divide_by and open belong to from"),
        ("divide_by: 100", "divide_by: 7", "input should be 10, 100, 1000, 10000 or 1000000"),
        ("cast: boolean", "cast: varchar(3)", "string should match pattern"),
        ("  users:", "  people:", "entity 'people' is not known"),
        ("[tenants,", "[tenents,", "entity 'tenents' is not known. Did you mean 'tenants'?"),
        ("[tenants,", "[users, tenants,", "users is in entities and in not_stored"),
        ("{from: email, open: true}", "{from: mail, open: true}", "users has no column 'mail'"),
        ("{from: created_at}", "{from: created_at, open: true}", "created_at is not encrypted"),
        ("{from: email, open: true}", "{from: email, values: {a: b}}", "email is personal"),
        ("{from: last_login_at}", "{from: last_login_at, divide_by: 100}", "not a whole number"),
        ("origin: {constant: seed}", "id: {constant: 1}", "column 'id' is written anyway"),
        ("origin: {constant: seed}", "organization_id: {constant: 1}", "column 'organization_id' is written anyway"),
        ("first_of: bank_accounts", "first_of: categories", "Fitting: loans, bank_accounts"),
        ("first_of: bank_accounts", "first_of: addresses", "'addresses' is no mapped entity"),
        ("{city: city, state: uf}", "{city: name}", "'name' cannot be part of an object"),
        ("{from: parent_id}", "{from: parent_id, cast: text}", "becomes the key of a row of categories"),
        (
            "main_account_id: {first_of: bank_accounts}",
            "consultant: {from: consultant_id}",
            "consultant_id refers to consultants, which this mapping does not store",
        ),
        ("key: {column: id, from: own}", "key: {column: organization_id, from: own}", "the key cannot be the tenant's"),
        ("version:", "version: !x", "tags"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(old, new, words):
    problems = refused(old, new)
    assert any(words in problem.message for problem in problems), [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type: bigint", "type: varchar"),
        ("divide_by: 100", "divide_by: 7"),
        ("first_of: bank_accounts", "first_of: addresses"),
        ("table: account", "table: account\n    rows: 3"),
    ],
)
def test_a_problem_has_the_line_of_what_is_wrong(old, new):
    (problem,) = refused(old, new)
    line = TEXT[: TEXT.index(old)].count("\n") + 1 + new.count("\n")
    assert (problem.source, problem.line) == ("shop.yaml", line)


def test_a_tenant_is_known_by_its_value_or_by_the_uuid_of_ours():
    tenant_id = UUID(int=7)
    mapping = parse_mapping(TEXT.encode(), source="shop.yaml")
    assert mapping.tenant_value("dev", "globex", tenant_id=tenant_id) == "2"
    with pytest.raises(TenantNotMapped, match=r"tenant\.values as staging/acme"):
        mapping.tenant_value("staging", "acme", tenant_id=tenant_id)
    text = TEXT.replace("type: bigint", "type: uuid").replace('  values: {dev/acme: "1", dev/globex: "2"}\n', "")
    assert parse_mapping(text.encode(), source="x").tenant_value("dev", "a", tenant_id=tenant_id) == str(tenant_id)


def test_an_entity_that_is_neither_mapped_nor_left_out_is_refused():
    mapping = parse_mapping(TEXT.replace("consultants, ", "").encode(), source="shop.yaml")
    assert mapping.stored(("tenants", "customers")) == ("customers",)
    with pytest.raises(EntityNotMapped, match="consultants"):
        mapping.stored(("consultants", "customers"))


def test_the_setting_of_our_own_policies_keeps_our_uuid():
    assert "app.tenant_id" in refused("setting: shop.organization", "setting: app.tenant_id")[0].message


def test_every_field_is_documented():
    fields = set()
    schema = SchemaMapping.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        fields |= set(part.get("properties", {}))
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()

"""What an application's owner runs once, so that the loader can fill its tables and nobody else's rows are in reach.

The statements are for people to read and to run: nothing here is executed by us.
"""

from collections.abc import Iterator

from seed_pipelines.mapping.model import SchemaMapping

_LOADER = "seed_loader"


def grants_of(mapping: SchemaMapping) -> Iterator[str]:
    """The rights that a publication needs, and no more."""
    yield f"GRANT USAGE ON SCHEMA {_quoted(mapping.schema_name)} TO {_LOADER};"
    for entity in mapping.ordered:
        rule = mapping.entities[entity]
        table = _table(mapping, entity)
        yield f"GRANT SELECT, INSERT, DELETE ON {table} TO {_LOADER};"
        if rule.later_columns:
            yield f"GRANT UPDATE ({', '.join(map(_quoted, rule.later_columns))}) ON {table} TO {_LOADER};"
        if rule.key.source == "sequence":
            name = f"pg_get_serial_sequence({_literal(table)}, {_literal(rule.key.column)})"
            yield f"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {_LOADER}', {name}); END $$;"


def policies_of(mapping: SchemaMapping) -> Iterator[str]:
    """Row-level security for tables that have none: the preflight asks for these policies word for word."""
    tenant = mapping.tenant
    cast = "" if tenant.type == "text" else f"::{tenant.type}"
    rule = f"{_quoted(tenant.column)} = nullif(current_setting({_literal(tenant.setting)}, true), ''){cast}"
    for table in dict.fromkeys(_table(mapping, entity) for entity in mapping.ordered):
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        yield f"CREATE POLICY tenant_rows ON {table} USING (true);"
        yield f"CREATE POLICY tenant_only ON {table} AS RESTRICTIVE USING ({rule}) WITH CHECK ({rule});"


def _table(mapping: SchemaMapping, entity: str) -> str:
    return f"{_quoted(mapping.schema_name)}.{_quoted(mapping.entities[entity].table)}"


def _quoted(name: str) -> str:
    # Identifiers of a mapping have letters, digits, _ and $ only.
    return f'"{name}"'


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))

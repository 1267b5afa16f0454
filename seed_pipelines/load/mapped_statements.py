"""The statements that move a build's rows into an application's tables, made from a mapping.

Names go in as identifiers and everything else as parameters: the keys that open personal columns are never part of a
statement's text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import sql

from seed_pipelines.load.copy import BUILD_SCHEMA
from seed_pipelines.mapping.model import ColumnRule, SchemaMapping
from seed_pipelines.mapping.rules import child_column, parent_of

_KEY_TYPES = {"sequence": sql.SQL("bigint"), "own": sql.SQL("bigint"), "uuid": sql.SQL("uuid")}
_TENANT_TYPES = {name: sql.SQL(name) for name in ("uuid", "bigint", "integer", "text")}
# Types whose SQL name is none of the catalogue's.
_TYPE_NAMES = {"boolean": "bool", "smallint": "int2", "integer": "int4", "bigint": "int8", "decimal": "numeric"}
_LEDGER = sql.SQL("seed_control.mapped_row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement and its parameters; `opened` are parameters that a key belongs to, by the column that it opens."""

    text: sql.Composed
    values: Mapping[str, str | int | bool] = field(default_factory=dict)
    opened: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the rows of one entity come from, and where pgcrypto's functions are."""

    entity: str
    table: sql.Identifier
    pgcrypto: str


def build_of(entity: str, run_hex: str) -> sql.Identifier:
    """The build table of an entity."""
    return sql.Identifier(BUILD_SCHEMA, f"{entity}_{run_hex}")


def ledger_of(mapping: SchemaMapping, source: Source) -> Statement:
    """Puts every row of the build into the ledger, with the key that it has had, or a new one."""
    made = {
        "sequence": sql.SQL("nextval(%(sequence)s::regclass)::text"),
        "own": sql.SQL("b.id::text"),
        "uuid": sql.SQL("seed_control.mapped_uuid(b.tenant_id, %(entity)s::text, b.id)::text"),
    }
    text = sql.SQL(
        "INSERT INTO {} (tenant_id, seed_run_id, entity, row_id, target_key, is_stored) "
        "SELECT b.tenant_id, %(seed_run_id)s::uuid, %(entity)s::text, b.id, coalesce(o.target_key, {}), {} "
        "FROM {} AS b LEFT JOIN {} AS o ON o.seed_run_id = %(old_run_id)s::uuid AND o.entity = %(entity)s::text "
        "AND o.row_id = b.id ORDER BY b.id"
    )
    key = mapping.entities[source.entity].key
    is_certain = sql.Literal(key.source != "sequence")
    return Statement(text=text.format(_LEDGER, made[key.source], is_certain, source.table, _LEDGER))


def insert_of(mapping: SchemaMapping, source: Source) -> Statement:
    """Moves every row of the build; columns that the mapping leaves out get their defaults."""
    return _insert_of(mapping, source, which=sql.SQL(""))


def _insert_of(mapping: SchemaMapping, source: Source, *, which: sql.SQL) -> Statement:
    made = _Expressions(mapping, source)
    rule = mapping.entities[source.entity]
    columns = {
        rule.key.column: sql.SQL("l.target_key::{}").format(_KEY_TYPES[rule.key.source]),
        mapping.tenant.column: sql.SQL("%(tenant_value)s::{}").format(_TENANT_TYPES[mapping.tenant.type]),
        **{name: made.of(values) for name, values in rule.columns.items() if values.first_of is None},
    }
    text = sql.SQL(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS b "
        "JOIN {} AS l ON l.seed_run_id = %(seed_run_id)s::uuid AND l.entity = %(entity)s::text AND l.row_id = b.id "
        "{}{} ORDER BY b.id"
    ).format(
        table_of(mapping, source.entity),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(columns.values()),
        source.table,
        _LEDGER,
        which,
        sql.SQL("").join(made.joins.values()),
    )
    return Statement(text=text, values=made.values, opened=made.opened)


def drawn_insert_of(mapping: SchemaMapping, source: Source, *, unique: tuple[str, ...]) -> Statement:
    """The same where keys are drawn: a row whose key another row has, seen or not, is left for another key."""
    rule = mapping.entities[source.entity]
    plain = _insert_of(mapping, source, which=sql.SQL(" AND NOT l.is_stored"))
    text = sql.SQL(
        "WITH stored AS ({} ON CONFLICT ({}) DO NOTHING RETURNING {} AS key) UPDATE {} AS l SET is_stored = true "
        "FROM stored AS s WHERE l.seed_run_id = %(seed_run_id)s::uuid AND l.entity = %(entity)s::text "
        "AND l.target_key = s.key::text"
    ).format(
        plain.text,
        sql.SQL(", ").join(map(sql.Identifier, unique)),
        sql.Identifier(rule.key.column),
        _LEDGER,
    )
    return Statement(text=text, values=plain.values, opened=plain.opened)


def later_of(mapping: SchemaMapping, source: Source, column: str, *, child: sql.Identifier) -> Statement:
    """Closes a circle of references: the column gets the key of the row's first child."""
    rule = mapping.entities[source.entity]
    other = rule.columns[column].first_of or ""
    text = sql.SQL(
        "UPDATE {} AS t SET {} = k.target_key::{} FROM ("
        "SELECT c.{} AS parent, min(c.id) AS child FROM {} AS c GROUP BY c.{}) AS f "
        "JOIN {} AS l ON l.seed_run_id = %(seed_run_id)s::uuid AND l.entity = %(entity)s::text AND l.row_id = f.parent "
        "JOIN {} AS k ON k.seed_run_id = %(seed_run_id)s::uuid AND k.entity = %(child)s::text AND k.row_id = f.child "
        "WHERE t.{} = l.target_key::{}"
    )
    parent = sql.Identifier(child_column(source.entity, other) or "")
    composed = text.format(
        table_of(mapping, source.entity),
        sql.Identifier(column),
        _KEY_TYPES[mapping.entities[other].key.source],
        parent,
        child,
        parent,
        _LEDGER,
        _LEDGER,
        sql.Identifier(rule.key.column),
        _KEY_TYPES[rule.key.source],
    )
    return Statement(text=composed, values={"child": other})


def unmapped_values_of(source: Source, rule: ColumnRule) -> Statement:
    """The values that a table of values lacks; five are enough to say."""
    text = sql.SQL(
        "SELECT DISTINCT b.{}::text AS value FROM {} AS b WHERE NOT b.{}::text = ANY (%(known)s::text[]) "
        "ORDER BY 1 LIMIT 5"
    ).format(sql.Identifier(rule.source or ""), source.table, sql.Identifier(rule.source or ""))
    return Statement(text=text)


def count_of(mapping: SchemaMapping, entity: str, *, is_ours: bool) -> Statement:
    """How many rows of an entity's table the session sees: those in the ledger, or all of them."""
    table, key = table_of(mapping, entity), mapping.entities[entity].key
    if not is_ours:
        return Statement(text=sql.SQL("SELECT count(*) AS rows FROM {}").format(table))
    text = sql.SQL(
        "SELECT count(*) AS rows FROM {} AS t JOIN {} AS l ON l.seed_run_id = %(seed_run_id)s::uuid "
        "AND l.entity = %(entity)s::text AND t.{} = l.target_key::{}"
    )
    return Statement(text=text.format(table, _LEDGER, sql.Identifier(key.column), _KEY_TYPES[key.source]))


def table_of(mapping: SchemaMapping, entity: str) -> sql.Identifier:
    """The application's table of an entity."""
    return sql.Identifier(mapping.schema_name, mapping.entities[entity].table)


class _Expressions:
    """The values of one entity's columns, with the joins and parameters that they need."""

    def __init__(self, mapping: SchemaMapping, source: Source) -> None:
        self._mapping, self._source = mapping, source
        self.values: dict[str, str | int | bool] = {}
        self.opened: dict[str, str] = {}
        self.joins: dict[str, sql.Composed] = {}

    def of(self, rule: ColumnRule) -> sql.Composable:
        if rule.fields is not None:
            return self._object(rule.fields)
        value = self._constant(rule.constant) if rule.constant is not None else self._from(rule)
        return sql.SQL("({})::{}").format(value, _type(rule.cast)) if rule.cast else value

    def _from(self, rule: ColumnRule) -> sql.Composable:
        column = rule.source or ""
        plain = sql.SQL("b.{}").format(sql.Identifier(column))
        parent = parent_of(self._source.entity, column)
        if parent is not None:
            return self._reference(column, parent)
        if rule.open:
            name = f"key_{len(self.opened)}"
            self.opened[name] = column
            open_ = sql.Identifier(self._source.pgcrypto, "pgp_sym_decrypt")
            return sql.SQL("{}({}, {}::text)").format(open_, plain, sql.Placeholder(name))
        if rule.divide_by is not None:
            return sql.SQL("({}::numeric / {})").format(plain, sql.Literal(rule.divide_by))
        if rule.values is not None:
            cases = [
                sql.SQL("WHEN {} THEN {}").format(self._constant(ours), self._constant(theirs))
                for ours, theirs in rule.values.items()
            ]
            return sql.SQL("CASE {}::text {} END").format(plain, sql.SQL(" ").join(cases))
        return plain

    def _reference(self, column: str, parent: str) -> sql.Composable:
        alias = sql.Identifier(f"r_{column}")
        self.joins[column] = sql.SQL(
            " LEFT JOIN {} AS {} ON {}.seed_run_id = %(seed_run_id)s::uuid AND {}.entity = {}::text "
            "AND {}.row_id = b.{}"
        ).format(_LEDGER, alias, alias, alias, self._constant(parent), alias, sql.Identifier(column))
        return sql.SQL("{}.target_key::{}").format(alias, _KEY_TYPES[self._mapping.entities[parent].key.source])

    def _object(self, fields: Mapping[str, str]) -> sql.Composable:
        pairs = [
            sql.SQL("{}::text, b.{}").format(self._constant(name), sql.Identifier(column))
            for name, column in fields.items()
        ]
        return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))

    def _constant(self, value: str | int | bool) -> sql.Composable:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


def _type(name: str) -> sql.Identifier:
    return sql.Identifier(*_TYPE_NAMES.get(name, name).split("."))

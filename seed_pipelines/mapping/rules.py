"""What a mapping may say about an entity, compared with the catalogue."""

from collections.abc import Iterator

from seed_pipelines import catalog
from seed_pipelines.catalog import Column, ColumnType, Entity
from seed_pipelines.manifest.problems import Fault, Path, did_you_mean, dotted, listed, shown
from seed_pipelines.mapping.model import ColumnRule, EntityRule, SchemaMapping

_WHOLE_NUMBERS = (ColumnType.BIGINT, ColumnType.INTEGER, ColumnType.SMALLINT)


def broken_rules(mapping: SchemaMapping) -> tuple[Fault, ...]:
    """Every way in which a mapping and the catalogue do not fit."""
    return (*_names(mapping), *(fault for name in mapping.ordered for fault in _of_entity(mapping, name)))


def parent_of(entity: str, column: str) -> str | None:
    """The entity that a column refers to, or None."""
    parents = catalog.ENTITIES[entity].parents
    return next((parent.entity for parent in parents if parent.column == column), None)


def child_column(entity: str, child: str) -> str | None:
    """The column of `child` that refers to `entity`, where there is exactly one."""
    columns = [parent.column for parent in catalog.ENTITIES[child].parents if parent.entity == entity]
    return columns[0] if len(columns) == 1 and child != entity else None


def stored_column(entity: str, name: str) -> Column | None:
    """A column of an entity's build table, or None."""
    return next((column for column in catalog.ENTITIES[entity].stored_columns if column.name == name), None)


def personal_columns(entity: Entity) -> frozenset[str]:
    """What holds messages that only the tenant's key opens."""
    return frozenset(column.name for column in entity.personal_columns)


def _names(mapping: SchemaMapping) -> Iterator[Fault]:
    places: list[tuple[Path, str]] = [(("entities", name), name) for name in mapping.entities]
    places += [(("not_stored", place), name) for place, name in enumerate(mapping.not_stored)]
    for path, name in places:
        if name not in catalog.ENTITIES:
            hint = did_you_mean(name, known=catalog.ENTITIES)
            yield _fault(path, "unknown-entity", f"entity {shown(name)} is not known.{hint}")
    for name in sorted(set(mapping.entities) & set(mapping.not_stored)):
        yield _fault(("entities", name), "stored-and-not", f"{name} is in entities and in not_stored. Take one out.")


def _of_entity(mapping: SchemaMapping, name: str) -> Iterator[Fault]:
    rule = mapping.entities[name]
    for column in (rule.key.column, mapping.tenant.column):
        if column in rule.columns:
            why = f"column {shown(column)} is written anyway, as the key or the tenant. Leave it out."
            yield _fault(("entities", name, "columns", column), "written-anyway", why)
    if rule.key.column == mapping.tenant.column:
        yield _fault(("entities", name, "key", "column"), "key-is-tenant", "the key cannot be the tenant's column.")
    for column, values in rule.columns.items():
        path: Path = ("entities", name, "columns", column)
        if values.source is not None:
            yield from _of_source(mapping, name, values, path)
        yield from _of_first(mapping, name, values, path)
        yield from _of_object(name, values, path)


def _of_source(mapping: SchemaMapping, name: str, rule: ColumnRule, path: Path) -> Iterator[Fault]:
    source = rule.source or ""
    found = stored_column(name, source)
    if found is None:
        known = [column.name for column in catalog.ENTITIES[name].stored_columns]
        why = f"{name} has no column {shown(source)}.{did_you_mean(source, known=known)} Known: {listed(known)}."
        yield _fault((*path, "from"), "unknown-column", why)
        return
    is_personal = source in personal_columns(catalog.ENTITIES[name])
    if rule.open and not is_personal:
        yield _fault((*path, "open"), "nothing-to-open", f"{source} is not encrypted. Leave open out.")
    if is_personal and rule.values is not None:
        yield _fault((*path, "values"), "values-of-personal", f"{source} is personal: it has no table of values.")
    if rule.divide_by is not None and found.type not in _WHOLE_NUMBERS:
        yield _fault((*path, "divide_by"), "no-number", f"{source} is {found.type.value}, not a whole number.")
    yield from _of_reference(mapping, name, rule, path)


def _of_reference(mapping: SchemaMapping, name: str, rule: ColumnRule, path: Path) -> Iterator[Fault]:
    parent = parent_of(name, rule.source or "")
    if parent is None:
        return
    if parent not in mapping.entities:
        why = f"{rule.source} refers to {parent}, which this mapping does not store. Map {parent}, or leave it out."
        yield _fault((*path, "from"), "parent-not-stored", why)
    if rule.values is not None or rule.divide_by is not None or rule.cast is not None:
        why = f"{rule.source} becomes the key of a row of {parent}. Leave values, divide_by and cast out."
        yield _fault(path, "reference-changed", why)


def _of_first(mapping: SchemaMapping, name: str, rule: ColumnRule, path: Path) -> Iterator[Fault]:
    child = rule.first_of
    if child is None:
        return
    if child not in mapping.entities or child not in catalog.ENTITIES or child_column(name, child) is None:
        fitting = [other for other in mapping.ordered if child_column(name, other)]
        why = f"{shown(child)} is no mapped entity that refers to {name} once. Fitting: {listed(fitting) or 'none'}."
        yield _fault((*path, "first_of"), "not-a-child", why)


def _of_object(name: str, rule: ColumnRule, path: Path) -> Iterator[Fault]:
    personal = personal_columns(catalog.ENTITIES[name])
    for field, source in (rule.fields or {}).items():
        if stored_column(name, source) is None or source in personal or parent_of(name, source):
            why = f"{shown(source)} cannot be part of an object: it is no column of {name}, or personal, or it refers."
            yield _fault((*path, "object", field), "not-for-an-object", why)


def _fault(path: Path, rule: str, message: str) -> Fault:
    return Fault(path=path, rule=rule, message=f"{dotted(path)}: {message}")


def is_nullable(entity: str, rule: ColumnRule) -> bool:
    """Whether a column may be null, for a moment or for good."""
    if rule.first_of is not None:
        return True
    found = stored_column(entity, rule.source or "")
    return found is not None and found.nullable


def injective_sources(entity: str, rule: EntityRule) -> dict[str, str]:
    """By target column, the column of ours of which different values stay different; personal ones by their digest."""
    sources = {}
    for column, values in rule.columns.items():
        if values.source is not None and values.values is None:
            has_digest = stored_column(entity, f"{values.source}_digest") is not None
            sources[column] = f"{values.source}_digest" if values.open and has_digest else values.source
    return sources

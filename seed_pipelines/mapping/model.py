"""A mapping: how the entities of the catalogue become rows of an application's own tables.

It is made by load.py out of strict YAML and says nothing about a database: whether tables and columns are there is the
preflight's to find out. Two mappings with the same content have the same hash, whatever their files look like.
"""

import re
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from seed_pipelines import catalog
from seed_pipelines.errors import EntityNotMapped, TenantNotMapped
from seed_pipelines.manifest.problems import shown
from seed_pipelines.manifest.seal import canonical_hash
from seed_pipelines.manifest.semver import SemVer

SUPPORTED_SCHEMA_MAJOR = 1
OWN_SETTING = "app.tenant_id"


def _semver(text: str) -> str:
    # VersionNotSemVer is no ValueError, which is all that pydantic reports.
    if SemVer.find(text) is None:
        raise ValueError("it is not a Semantic Version")
    return text


def _schema_version(text: str) -> str:
    found = SemVer.find(text)
    if found is None or found.prerelease or found.major != SUPPORTED_SCHEMA_MAJOR:
        raise ValueError("it is not a version 1.x.y of this contract")
    return text


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
# Of an enum or another type, perhaps with its schema. No modifiers: a cast to varchar(3) would cut text in silence.
TypeName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_$]{0,62}\.)?[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
# A setting of the server itself has no dot.
SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,30}\.[a-z_][a-z0-9_]{0,30}$")]
Text = Annotated[str, StringConstraints(max_length=1000)]
Scalar = Text | int | bool
Names = Annotated[tuple[Identifier, ...], Field(strict=False, max_length=100)]

_TENANT_FORMS = {
    "bigint": r"-?[0-9]{1,18}",
    "integer": r"-?[0-9]{1,9}",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "text": r"[^\x00]{1,200}",
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Tenant(_Section):
    """How the application tells tenants apart: a column of every table, and the setting that its policies read."""

    column: Identifier
    type: Literal["uuid", "bigint", "integer", "text"]
    setting: SettingName
    # By <environment>/<tenant>; left out, a tenant is known by the same uuid as in `app`.
    values: Annotated[dict[str, str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.values is None and self.type not in ("uuid", "text"):
            raise ValueError("values are needed where the type is a number")
        for name, value in (self.values or {}).items():
            if not re.fullmatch(_TENANT_FORMS[self.type], value):
                msg = f"the value of {shown(name)} is no {self.type}"
                raise ValueError(msg)
        if self.setting == OWN_SETTING and (self.values is not None or self.type != "uuid"):
            raise ValueError("app.tenant_id holds the uuid of `app`: take type uuid without values")
        return self


class Key(_Section):
    """The one column that identifies a row, and where its values come from."""

    column: Identifier
    source: Annotated[Literal["sequence", "own", "uuid"], Field(alias="from")]


class ColumnRule(_Section):
    """Where the values of one column come from: one of `from`, `constant`, `object`, `first_of`."""

    source: Annotated[Identifier | None, Field(alias="from")] = None
    constant: Scalar | None = None
    fields: Annotated[dict[str, Identifier] | None, Field(alias="object", min_length=1)] = None
    first_of: Identifier | None = None
    values: Annotated[dict[str, Scalar], Field(min_length=1)] | None = None
    divide_by: Literal[10, 100, 1000, 10_000, 1_000_000] | None = None
    open: bool = False
    cast: TypeName | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.source, self.constant, self.fields, self.first_of]
        if sum(value is not None for value in given) != 1:
            raise ValueError("exactly one of from, constant, object and first_of is needed")
        if self.source is None and (self.values is not None or self.divide_by is not None or self.open):
            raise ValueError("values, divide_by and open belong to from")
        if self.cast is not None and self.source is None and self.constant is None:
            raise ValueError("cast belongs to from and constant")
        if sum((self.values is not None, self.divide_by is not None, self.open)) > 1:
            raise ValueError("at most one of values, divide_by and open can be taken")
        return self


class Accepts(_Section):
    """What the preflight finds and somebody has looked at."""

    uniques: Names = ()
    triggers: Names = ()


class EntityRule(_Section):
    """One entity: its table, its key, and every column that is to be written."""

    table: Identifier
    key: Key
    columns: Annotated[dict[Identifier, ColumnRule], Field(min_length=1)]
    accepts: Accepts = Accepts()

    @property
    def later_columns(self) -> tuple[str, ...]:
        """Columns that close a circle of references: null at first, then filled."""
        return tuple(name for name, rule in self.columns.items() if rule.first_of is not None)


class SchemaMapping(_Section):
    """The whole mapping of one application's schema."""

    schema_version: Annotated[str, AfterValidator(_schema_version)]
    version: Annotated[str, AfterValidator(_semver)]
    schema_name: Annotated[Identifier, Field(alias="schema")]
    tenant: Tenant
    not_stored: Names = ()
    entities: Annotated[dict[Identifier, EntityRule], Field(min_length=1)]

    @property
    def mapping_hash(self) -> str:
        """SHA-256 of the canonical JSON of what it says."""
        return canonical_hash(self.as_data())

    @property
    def ordered(self) -> tuple[str, ...]:
        """The mapped entities, parents first."""
        return tuple(name for name in catalog.ENTITIES if name in self.entities)

    def as_data(self) -> dict[str, Any]:
        """Plain values that `of_data` reads back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def of_data(cls, data: dict[str, Any]) -> Self:
        """A mapping that was taken once."""
        return cls.model_validate(data)

    def stored(self, entities: tuple[str, ...]) -> tuple[str, ...]:
        """Which of a plan's entities go into tables; raises EntityNotMapped for one that it says nothing about."""
        unknown = tuple(name for name in entities if name not in self.entities and name not in self.not_stored)
        if unknown:
            raise EntityNotMapped(unknown, version=self.version)
        return tuple(name for name in entities if name in self.entities)

    def tenant_value(self, environment: str, tenant: str, *, tenant_id: UUID) -> str:
        """What the tenant column holds for a tenant; raises TenantNotMapped."""
        if self.tenant.values is None:
            return str(tenant_id)
        value = self.tenant.values.get(f"{environment}/{tenant}")
        if value is None:
            raise TenantNotMapped(environment, tenant, version=self.version)
        return value

"""How much of a node a run pod may use, by the mode of its manifest.

Job definitions carry it in the tag that Dagster's launcher of Kubernetes Jobs reads; any other launcher passes it by.
What Kubernetes would refuse at every launch is refused once, when the code location loads.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from seed_pipelines.errors import SettingNotUsable
from seed_pipelines.manifest.model import Mode

KUBERNETES_TAG = "dagster-k8s/config"
_SETTING = "SEED_RUN_RESOURCES"
_UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}

# The chart takes the same texts, so what its schema lets through is usable here.
_Cpu = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*m|[1-9][0-9]*|0\.[0-9]*[1-9])$")]
_Bytes = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi)$")]


def _amount(text: str) -> Decimal:
    digits = text.rstrip("mKMGi")
    return Decimal(digits) * _UNITS[text.removeprefix(digits)]


class _Amounts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    memory: _Bytes
    ephemeral_storage: _Bytes | None = Field(default=None, alias="ephemeral-storage")

    def as_kubernetes(self) -> dict[str, str]:
        return self.model_dump(by_alias=True, exclude_none=True)


class _Requests(_Amounts):
    cpu: _Cpu


class _Limits(_Amounts):
    cpu: _Cpu | None = None


class PodResources(BaseModel):
    """What a run pod asks for and may not go beyond. Memory always has a limit: without one a pod can take its node."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    requests: _Requests
    limits: _Limits

    @model_validator(mode="after")
    def _limits_are_not_below_requests(self) -> Self:
        limits = self.limits.as_kubernetes()
        for name, wanted in self.requests.as_kubernetes().items():
            if name in limits and _amount(limits[name]) < _amount(wanted):
                why = f"limits.{name} is {limits[name]} and requests.{name} is {wanted}"
                raise ValueError(why)
        return self

    def tag(self) -> str:
        """The value of KUBERNETES_TAG."""
        resources = {"requests": self.requests.as_kubernetes(), "limits": self.limits.as_kubernetes()}
        return json.dumps({"container_config": {"resources": resources}}, sort_keys=True)


def _standard(*, cpu: str, memory: str, limit: str) -> PodResources:
    return PodResources(requests=_Requests(cpu=cpu, memory=memory), limits=_Limits(memory=limit))


_SMALL = _standard(cpu="500m", memory="512Mi", limit="1Gi")
_LARGE = _standard(cpu="2", memory="2Gi", limit="4Gi")
# Those of the chart's values.
STANDARD: Mapping[Mode, PodResources] = MappingProxyType(
    {Mode.BASELINE: _SMALL, Mode.CARGA: _LARGE, Mode.DR: _LARGE, Mode.CANARY: _SMALL}
)

_BY_MODE = TypeAdapter(dict[Mode, PodResources])


def resources_by_mode(text: str | None) -> Mapping[Mode, PodResources]:
    """What the setting says, as JSON by mode; a mode that it leaves out keeps the standard. Raises SettingNotUsable."""
    if text is None:
        return STANDARD
    try:
        return MappingProxyType({**STANDARD, **_BY_MODE.validate_json(text)})
    except ValidationError as refused:
        raise SettingNotUsable(_SETTING, "…", wanted=_wanted(refused)) from None


def _wanted(refused: ValidationError) -> str:
    found = refused.errors(include_url=False)[0]
    place = ".".join(str(part) for part in found["loc"] if part != "[key]")
    what = re.sub(r"^Value error, ", "", found["msg"])
    return f"JSON of requests and limits by mode ({f'{place}: ' if place else ''}{what})"

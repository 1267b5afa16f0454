"""What the OpenAPI document says beside the routes: headers, bodies and problems, the same for each of them.

Routes read headers, queries and bodies themselves, in the order that service.py promises, so the framework cannot
describe them: what it says of validation, which would repeat values, is replaced.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from seed_pipelines.api import contract
from seed_pipelines.api.contract import (
    ENVIRONMENT_HEADER,
    KEY,
    KEY_HEADER,
    PROBLEM_JSON,
    SLUG,
    TENANT_HEADER,
    Problem,
    SeedRunProgress,
    SeedRunQuery,
    SeedRunRequest,
)

VERSION = "1.0.0"
_COMPONENT = "#/components/schemas/{model}"

_OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")

_TITLES: Mapping[int, str] = {
    400: "A header is missing or cannot be used.",
    401: "Nobody knows who asks.",
    403: "The policy does not allow it.",
    404: "There is no such thing for this tenant.",
    409: "Something else stands in the way at the moment.",
    412: "It is not any more what If-Match says.",
    413: "The body is too large.",
    415: "The body is of a kind that is not read.",
    422: "The request, or the manifest, is not what the contract says.",
    428: "If-Match is missing.",
    429: "The quota is used up.",
    500: "A fault of seed-pipelines.",
    502: "Dagster refused.",
    503: "Something that the API needs does not answer.",
}
_QUOTA_HEADERS: Mapping[str, Any] = {
    "RateLimit-Policy": {
        "description": 'The quota: `"caller";q=600;w=60` is 600 requests in 60 s.',
        "schema": {"type": "string"},
    },
    "RateLimit": {"description": "Requests left, and seconds until all are.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests in the window.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "Requests left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until all are.", "schema": {"type": "integer"}},
}
_RETRY_HEADER: Mapping[str, Any] = {
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}}
}
ETAG_HEADER: Mapping[str, Any] = {"ETag": {"description": "A strong validator.", "schema": {"type": "string"}}}
_HEADERS: Mapping[str, Any] = {**_QUOTA_HEADERS, **_RETRY_HEADER, **ETAG_HEADER}

_TAGS = {
    "seed profiles": "Manifests, before anything is run.",
    "seed runs": "Seed runs: started, followed, cancelled, and their reports.",
    "operation": "For machines that run the API: no token, and not for the ingress.",
}

_SLUG_SCHEMA = {"type": "string", "pattern": SLUG, "examples": ["acme"]}
_TENANT = {
    "name": TENANT_HEADER,
    "in": "header",
    "required": True,
    "description": "The tenant that the request is about.",
    "schema": _SLUG_SCHEMA,
}
_ENVIRONMENT = {
    "name": ENVIRONMENT_HEADER,
    "in": "header",
    "required": True,
    "description": "The environment that the request is about.",
    "schema": {**_SLUG_SCHEMA, "examples": ["dev"]},
}


def header(name: str, description: str, *, required: bool = False, pattern: str | None = None) -> dict[str, Any]:
    """One more header of a route."""
    schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


KEY_PARAMETER = header(
    KEY_HEADER,
    "The same key is answered once; replays get the same answer. Bare, or in quotation marks.",
    pattern=f'{KEY[:-1]}$|^"{KEY[1:-1]}"$',
)
REQUIRED_KEY_PARAMETER = {**KEY_PARAMETER, "required": True}


def described(
    *statuses: int,
    parameters: Iterable[Mapping[str, Any]] = (),
    body: Mapping[str, Any] | None = None,
    tenant_is_optional: bool = False,
) -> dict[str, Any]:
    """`responses` and `openapi_extra` of a route of the API: those that all have, and these statuses."""
    tenant = {**_TENANT, "required": False} if tenant_is_optional else _TENANT
    extra: dict[str, Any] = {
        "parameters": [tenant, _ENVIRONMENT, *parameters],
        "security": [{"bearer": []}],
    }
    if body is not None:
        extra["requestBody"] = {"required": True, "content": body}
    problems = {400, 401, 403, 413, 429, 500, 503, *statuses}
    return {"responses": {status: _problem(status) for status in sorted(problems)}, "openapi_extra": extra}


def query_parameters() -> list[dict[str, Any]]:
    """The query of the list, as its class has it."""
    properties = SeedRunQuery.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema["description"],
            "schema": _not_null({key: value for key, value in schema.items() if key != "description"}),
        }
        for name, schema in properties.items()
    ]


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A body of JSON."""
    return {"application/json": {"schema": {"$ref": _COMPONENT.format(model=model.__name__)}}}


def links_to(*operations: str) -> dict[str, Any]:
    """What can be asked next of the seed run that an answer names."""
    place = {"seed_run_id": "$response.body#/seed_run_id"}
    return {operation: {"operationId": operation, "parameters": place} for operation in operations}


def events_body(model: type[BaseModel], *names: str) -> dict[str, Any]:
    """Server-sent events of these names, each of which carries a body."""
    properties = {
        "id": {"type": "string"},
        "event": {"enum": list(names)},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": _COMPONENT.format(model=model.__name__)},
        },
    }
    return {"text/event-stream": {"schema": {"type": "object", "properties": properties}}}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document, OpenAPI 3.1; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="seed-pipelines",
            version=VERSION,
            summary="Believable, masked, repeatable data for a multi-tenant lending platform.",
            description="The same flow as `seed-data` and Dagster, over HTTP. Every error is a Problem (RFC 9457).",
            routes=app.routes,
        )
        _complete(document)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(document: dict[str, Any]) -> None:
    models: list[type[BaseModel]] = [Problem, SeedRunRequest, SeedRunProgress]
    _, schemas = models_json_schema([(model, "serialization") for model in models], ref_template=_COMPONENT)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas["$defs"])
    for framework in _OF_THE_FRAMEWORK:
        components["schemas"].pop(framework, None)
    components["headers"] = dict(_HEADERS)
    document["tags"] = [{"name": name, "description": description} for name, description in _TAGS.items()]
    document["servers"] = [
        {"url": "http://127.0.0.1:8000", "description": "What `seed-data dev` and `seed-data api` listen on."}
    ]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path in document["paths"].values():
        for operation in path.values():
            _forget_framework(operation["responses"])
            for response in operation["responses"].values():
                _refer_to_headers(response)


def _refer_to_headers(response: dict[str, Any]) -> None:
    """A header that many answers have is described once."""
    own = {name: header for name, header in response.get("headers", {}).items() if name not in _HEADERS}
    shared = [*_QUOTA_HEADERS, *(name for name in response.get("headers", {}) if name in _HEADERS)]
    response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in shared} | own


def _forget_framework(responses: dict[str, Any]) -> None:
    """The framework adds a 422 of its own wherever a path has a parameter."""
    for status, response in list(responses.items()):
        if any(name in str(response) for name in _OF_THE_FRAMEWORK):
            del responses[status]


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _TITLES[status],
        "content": {PROBLEM_JSON: {"schema": {"$ref": _COMPONENT.format(model=contract.Problem.__name__)}}},
        "headers": dict(_RETRY_HEADER) if status in (404, 409, 429, 502, 503) else {},
    }


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query says nothing by leaving a name out, and has no null."""
    choices = [choice for choice in schema.pop("anyOf", []) if choice.get("type") != "null"]
    kept = {key: value for key, value in schema.items() if key != "title" and value is not None}
    return {**kept, **(choices[0] if choices else {})}

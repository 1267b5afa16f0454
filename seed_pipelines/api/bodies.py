"""Bodies as they come in: bytes of a kind that is read. What they say is found out by whoever reads them."""

from fastapi import Request

from seed_pipelines.errors import MediaTypeNotTaken

JSON = "application/json"
JSON_ONLY = (JSON,)
JSON_OR_YAML = (JSON, "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_body(request: Request) -> bytes:
    """The whole body, whose size edge.py bounds."""
    return await request.body()


def require_media_type(request: Request, taken: tuple[str, ...]) -> str:
    """The one that the body is said to have; raises MediaTypeNotTaken."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in taken:
        raise MediaTypeNotTaken(taken=taken)
    return kind

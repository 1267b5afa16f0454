"""Bodies as they come in: bytes of a kind that is read. What they say is found out by whoever reads them."""

from fastapi import Request

from seed_pipelines.errors import MediaTypeNotTaken

JSON_ONLY = ("application/json",)
JSON_OR_YAML = ("application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_body(request: Request) -> bytes:
    """The whole body, whose size edge.py bounds."""
    return await request.body()


def require_media_type(request: Request, taken: tuple[str, ...]) -> None:
    """Raises MediaTypeNotTaken."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in taken:
        raise MediaTypeNotTaken(taken=taken)

"""The mapping file that the settings name: read once, whole, and never more than a mapping may have."""

from pathlib import Path

from seed_pipelines.errors import MappingNotFound
from seed_pipelines.outside.manifest_folder import READ_LIMIT_BYTES


def mapping_content(path: Path) -> bytes:
    """The bytes of a mapping, at most READ_LIMIT_BYTES; raises MappingNotFound."""
    try:
        with path.open("rb") as stream:
            return stream.read(READ_LIMIT_BYTES)
    except OSError as wrong:
        raise MappingNotFound(str(path), why=str(wrong.strerror)) from None

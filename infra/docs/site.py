"""A hook of the documents' site: links to files of the repository that are no pages become their paths.

The site has pages only. `seed_pipelines_tests/pure/test_docs.py` sees to it that such a file exists.
"""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text, with links that leave docs/ turned into words."""
    return _LINK.sub(lambda found: _inside_or_path(found, posixpath.dirname(page.file.src_uri)), markdown)


def _inside_or_path(found: re.Match[str], folder: str) -> str:
    label, target = found.group(1), found.group(2)
    from_docs = posixpath.normpath(posixpath.join(folder, target))
    if not from_docs.startswith("../"):
        return found.group(0)
    path = from_docs.removeprefix("../")
    return f"`{path}`" if label in path else f"{label} (`{path}`)"

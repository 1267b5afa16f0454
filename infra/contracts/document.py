"""Write the API's contract, contracts/openapi.yaml, from the code: `python infra/contracts/document.py`.

A test compares the file with the code. What was released lies in contracts/released, and is never written again.
"""

from pathlib import Path
from typing import Any

import yaml

from seed_pipelines.api.app import contract_document

CONTRACT = Path("contracts/openapi.yaml")
_HEAD = "# Made from the code by `make contract`; a test compares. Change seed_pipelines/api, not this file.\n"


def contract_text() -> str:
    """The document as it is kept: the same text for the same routes."""
    return _HEAD + yaml.dump(contract_document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors: what occurs twice is written twice, as a reader of a contract expects."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


if __name__ == "__main__":
    CONTRACT.write_text(contract_text())

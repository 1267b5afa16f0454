"""No CPF twice among five million customers, and nothing remembered to know it: `python benchmarks/uniqueness.py`.

The product keeps no set of what it has seen: a document is a keyed permutation of the row's number. Only this check
gathers them, as numbers, after they were masked.
"""

import argparse

import numpy as np
from measure import peak_mib, show
from volume import keys, plan_with

from seed_pipelines.generate.people import customer_documents
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.plan import Plan, RowRange

CHUNK_ROWS = 100_000
CPF_CHARACTERS = 11


def main() -> None:
    customers = _options().customers
    plan = plan_with(customers)
    key = keys().column("customers", "document_number").ff1
    before = peak_mib()
    found = [_cpfs(plan, key, start, min(CHUNK_ROWS, customers - start)) for start in range(0, customers, CHUNK_ROWS)]
    during = peak_mib()
    cpfs = np.concatenate(found)
    twice = len(cpfs) - len(np.unique(cpfs))
    rows = [
        ("CPFs", f"{len(cpfs):,}"),
        ("twice", f"{twice:,}"),
        ("memory while they were made, MiB", f"{during - before - cpfs.nbytes / 2**20:,.0f}"),
    ]
    show("No CPF twice", ("what", "count"), rows)
    raise SystemExit(1 if twice else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000_000)
    return parser.parse_args()


def _cpfs(plan: Plan, key: bytes, first: int, count: int) -> np.ndarray:
    """The masked CPFs of a range of customers, as numbers."""
    documents = mask_documents(
        customer_documents(plan, RowRange(first=first, rows=count)), key=key, column="document_number"
    )
    texts = [text for text in documents.to_pylist() if len(text) == CPF_CHARACTERS]
    return np.array(texts, dtype="S11").astype(np.int64)


if __name__ == "__main__":
    main()

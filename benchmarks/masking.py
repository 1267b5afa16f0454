"""Masking and encryption per core, beside two FF1 libraries on the same numbers: `python benchmarks/masking.py`."""

import argparse

import fastfpe.ff1
import ffx
import numpy as np
import pyarrow as pa
from measure import cpu_seconds, show
from volume import keys, plan_with

from seed_pipelines import catalog
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask import pgp
from seed_pipelines.mask.ff1 import IntegerCipher
from seed_pipelines.mask.policy import mask_batch

KEY = bytes(range(16))
TWEAK = b"customers.document_number"
DIGITS = 9


def main() -> None:
    options = _options()
    numbers = np.random.default_rng(1).integers(0, 10**DIGITS, size=options.values, dtype=np.uint64)
    _show_ff1(numbers, peers=options.values // 20)
    _show_pgp(options.values)
    _show_customers(options.customers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    return parser.parse_args()


def _show_ff1(numbers: np.ndarray, *, peers: int) -> None:
    """The libraries get a twentieth of the values: they need longer than ours even so, and a rate is a rate."""
    texts = [f"{number:0{DIGITS}d}" for number in numbers[:peers].tolist()]
    cipher = IntegerCipher(key=KEY, length=DIGITS, tweaks=(TWEAK,))
    reference = ffx.FF1(KEY, radix=10)

    def theirs(count: int) -> list[int]:
        return [int(fastfpe.ff1.encrypt(KEY.hex(), TWEAK.hex(), "0123456789", text)) for text in texts[:count]]

    if cipher.encrypt(numbers[:1000]).tolist() != theirs(1000):
        raise SystemExit("the ciphers disagree: a rate of something else would say nothing")
    ours = len(numbers) / cpu_seconds(lambda: cipher.encrypt(numbers))
    fast = peers / cpu_seconds(lambda: theirs(peers))
    slow = peers / cpu_seconds(lambda: [reference.encrypt(text, tweak=TWEAK) for text in texts], tries=1)
    rows = [
        ("ours, a column at a time", f"{ours:,.0f}", ""),
        ("fastfpe", f"{fast:,.0f}", f"{ours / fast:.1f} (aim: 6)"),
        ("libffx", f"{slow:,.0f}", f"{ours / slow:.1f} (aim: 25)"),
    ]
    show("FF1 on nine digits, per core", ("who", "values/s", "ours is so many times it"), rows)


def _show_pgp(values: int) -> None:
    key = keys().column("customers", "phone").pgp
    column = pa.array([f"+55119{number:08d}" for number in range(values)])
    row_ids = np.arange(values, dtype=np.int64)
    rate = values / cpu_seconds(lambda: pgp.encrypt(column, row_ids=row_ids, key=key))
    show("OpenPGP messages of a column, per core", ("what", "values/s"), [("phones (aim: 300,000)", f"{rate:,.0f}")])


def _show_customers(customers: int) -> None:
    plan = plan_with(customers)
    count = plan.rows["customers"]
    made = cpu_seconds(lambda: generate(plan, "customers", first_row=0, rows=count))
    rows = generate(plan, "customers", first_row=0, rows=count)
    stored = cpu_seconds(lambda: mask_batch(catalog.ENTITIES["customers"], rows, keys()))
    personal = len(catalog.ENTITIES["customers"].personal_columns)
    table = [
        ("generated", f"{count / made:,.0f}"),
        (f"{personal} fields masked and encrypted", f"{count / stored:,.0f}"),
        ("both (aim: 100,000)", f"{count / (made + stored):,.0f}"),
    ]
    show("Customers, per core", ("what", "rows/s"), table)


if __name__ == "__main__":
    main()

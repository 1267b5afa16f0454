"""The same customers and loans, made by the usual libraries and by us: `python benchmarks/peers.py`.

Each peer makes what a careful team would write with it: Brazilian names, valid CPFs and phones, and a loan with its
IOF, net amount and CET, once roughly in floats and once to the cent, as ours are. They store plain text and keep no
key, checkpoint, hash or report. Ours is the whole flow: checked by the oracle, masked, encrypted, written by
checkpointed batches, indexed, published in one step.
"""

import argparse
import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import factory
import psycopg
import sqlalchemy as sa
import yaml
from faker import Faker
from measure import show
from mimesis import Locale, Person
from polyfactory.factories import DataclassFactory
from volume import text_with

from seed_pipelines.lending.conventions import Borrower, System
from seed_pipelines.lending.iof_rates import iof_rate
from seed_pipelines.lending.official import Terms, months_after, official_schedule
from seed_pipelines.lending.official_charges import official_cet, official_iof, percent_a_year
from seed_pipelines.local_database import DATABASE, LocalDatabase
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.outside.embedded import EmbeddedPostgres

TODAY = date(2026, 11, 2)
LOANS_EACH = 2
EXACT = (False, True)
AIM = 50
FAKER = Faker("pt_BR")
UFS = ("SP", "RJ", "MG", "BA", "PR", "RS", "PE", "CE", "PA", "SC")


@dataclasses.dataclass(slots=True)
class Customer:
    id: int
    document_number: str
    name: str
    email: str
    phone: str
    born_on: date
    uf: str
    city: str
    monthly_income_cents: int
    status: str


@dataclasses.dataclass(slots=True)
class Loan:
    id: int
    customer_id: int
    product: str
    principal_cents: int
    net_amount_cents: int
    iof_cents: int
    monthly_rate_ppm: int
    cet_annual_bp: int
    installment_count: int
    released_on: date
    first_due_on: date


def main() -> None:
    options = _options()
    count = options.peer_customers
    with tempfile.TemporaryDirectory() as folder:
        local = LocalDatabase(Path(folder) / "home")
        local.start()
        try:
            dsn = EmbeddedPostgres(local.home).address().dsn(DATABASE)
            peers = {who: [_peer_rate(made, dsn, count, exact=exact) for exact in EXACT] for who, made in PEERS.items()}
            peers["factory_boy, SQLAlchemy bulk insert"] = [_factory_rate(dsn, count, exact=exact) for exact in EXACT]
            ours = _our_rate(local, Path(folder), options.customers)
        finally:
            local.remove()
    rows = [
        (who, f"{rough:,.0f}", f"{ours / rough:,.1f}", f"{exact:,.0f}", f"{ours / exact:,.0f}")
        for who, (rough, exact) in peers.items()
    ]
    rows.append(("seed-pipelines, the whole flow", "", "", f"{ours:,.0f}", ""))
    header = (
        "who",
        "loans in floats, rows/s",
        "ours is so many times it",
        "loans to the cent, rows/s",
        "ours is so many",
    )
    show("Customers and loans, end to end", header, rows)
    print(
        f"\n{ours / max(exact for _, exact in peers.values()):.0f} times the best that makes the same loans; aim: {AIM}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000, help="ours")
    parser.add_argument("--peer-customers", type=int, default=2_000, help="theirs; a rate is a rate")
    return parser.parse_args()


def _peer_rate(made: Callable[[int], Sequence[Customer]], dsn: str, count: int, *, exact: bool) -> float:
    """Rows/s of making them and of COPY, the fastest way in that there is for text."""
    with _tables(dsn) as connection:
        started = time.perf_counter()
        for table, rows in (("customers", made(count)), ("loans", _loans(count, exact=exact))):
            with connection.cursor().copy(f"COPY peer.{table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(getattr(row, field.name) for field in dataclasses.fields(row)))
        return count * (1 + LOANS_EACH) / (time.perf_counter() - started)


class _tables:
    """Two bare tables, dropped afterwards."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)

    def __enter__(self) -> psycopg.Connection:
        self._connection.execute("CREATE SCHEMA peer")
        for name, row in (("customers", Customer), ("loans", Loan)):
            types: dict[object, str] = {int: "bigint", str: "text", date: "date"}
            columns = ", ".join(f"{field.name} {types[field.type]}" for field in dataclasses.fields(row))
            self._connection.execute(f"CREATE TABLE peer.{name} ({columns}, PRIMARY KEY (id))")
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.execute("DROP SCHEMA peer CASCADE")
        self._connection.close()


def _loan(number: int, customer: int, chance: random.Random, *, exact: bool) -> Loan:
    principal, rate, count = (
        chance.randint(100_000, 5_000_000),
        chance.randint(15_000, 60_000),
        chance.choice((6, 12, 24)),
    )
    released = TODAY - timedelta(days=chance.randint(0, 700))
    terms = Terms(
        principal=Decimal(principal).scaleb(-2),
        monthly_rate=Decimal(rate).scaleb(-6),
        count=count,
        system=System.PRICE,
        released_on=released,
        first_due_on=months_after(released, 1),
    )
    iof, cet = (_exact_costs if exact else _rough_costs)(terms)
    return Loan(
        id=number,
        customer_id=customer,
        product=chance.choice(("personal", "payroll", "vehicle")),
        principal_cents=principal,
        net_amount_cents=principal - iof,
        iof_cents=iof,
        monthly_rate_ppm=rate,
        cet_annual_bp=cet,
        installment_count=count,
        released_on=released,
        first_due_on=terms.first_due_on,
    )


def _exact_costs(terms: Terms) -> tuple[int, int]:
    """IOF and CET of the loan to the cent, as ours has them; the Decimal calculation of this project stands in for the
    one that a team would write, since no library has it."""
    schedule = official_schedule(terms)
    rate = iof_rate(Borrower.PF, released_on=terms.released_on, principal_cents=int(terms.principal.scaleb(2)))
    iof = official_iof(schedule, released_on=terms.released_on, rate=rate)
    payments = [(row.due_on, row.payment) for row in schedule]
    cet = official_cet(terms.principal - iof, released_on=terms.released_on, payments=payments)
    return int(iof.scaleb(2)), int(percent_a_year(cet).scaleb(2))


def _rough_costs(terms: Terms) -> tuple[int, int]:
    """IOF by months of 30 days, CET by equal months, in floats: near, and wrong by cents and by hundredths."""
    principal, rate, count = float(terms.principal) * 100, float(terms.monthly_rate), terms.count
    payment = principal * rate / (1 - (1 + rate) ** -count)
    balance, iof = principal, principal * 0.0038
    for month in range(1, count + 1):
        amortized = payment - balance * rate
        balance -= amortized
        iof += amortized * 0.000082 * min(30 * month, 365)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if payment * (1 - (1 + middle) ** -count) / middle > principal - iof:
            low = middle
        else:
            high = middle
    return round(iof), round(((1 + high) ** 12 - 1) * 10_000)


def _loans(customers: int, *, exact: bool) -> list[Loan]:
    chance = random.Random(1)
    return [_loan(number, number // LOANS_EACH, chance, exact=exact) for number in range(customers * LOANS_EACH)]


def _by_faker(count: int) -> Sequence[Customer]:
    chance = random.Random(2)
    return [
        Customer(
            id=number,
            document_number=FAKER.cpf(),
            name=FAKER.name(),
            email=FAKER.safe_email(),
            phone=FAKER.cellphone_number(),
            born_on=FAKER.date_of_birth(minimum_age=18, maximum_age=80),
            uf=FAKER.estado_sigla(),
            city=FAKER.city(),
            monthly_income_cents=chance.randint(150_000, 3_000_000),
            status="active",
        )
        for number in range(count)
    ]


def _cpf(chance: random.Random) -> str:
    """mimesis has no CPF of its own."""
    digits = [chance.randrange(10) for _ in range(9)]
    for _ in range(2):
        weighted = sum(digit * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1), strict=True))
        digits.append(weighted * 10 % 11 % 10)
    return "".join(map(str, digits))


def _by_mimesis(count: int) -> Sequence[Customer]:
    chance, person = random.Random(3), Person(Locale.PT_BR, seed=3)
    return [
        Customer(
            id=number,
            document_number=_cpf(chance),
            name=person.full_name(),
            email=person.email(domains=("example.com",)),
            phone=person.phone_number(),
            born_on=person.birthdate(min_year=1946, max_year=2008),
            uf=chance.choice(UFS),
            city="São Paulo",
            monthly_income_cents=chance.randint(150_000, 3_000_000),
            status="active",
        )
        for number in range(count)
    ]


class _PolyCustomer(DataclassFactory[Customer]):
    __faker__ = FAKER
    document_number = FAKER.cpf
    name = FAKER.name
    email = FAKER.safe_email
    phone = FAKER.cellphone_number
    uf = FAKER.estado_sigla
    city = FAKER.city


def _by_polyfactory(count: int) -> Sequence[Customer]:
    return [_PolyCustomer.build(id=number, status="active") for number in range(count)]


class _FactoryCustomer(factory.Factory[dict[str, Any]]):
    class Meta:
        model = dict

    id = factory.Sequence(int)
    document_number = factory.LazyFunction(FAKER.cpf)
    name = factory.LazyFunction(FAKER.name)
    email = factory.LazyFunction(FAKER.safe_email)
    phone = factory.LazyFunction(FAKER.cellphone_number)
    born_on = factory.LazyFunction(lambda: FAKER.date_of_birth(minimum_age=18, maximum_age=80))
    uf = factory.LazyFunction(FAKER.estado_sigla)
    city = factory.LazyFunction(FAKER.city)
    monthly_income_cents = factory.LazyFunction(lambda: random.randint(150_000, 3_000_000))
    status = "active"


def _factory_rate(dsn: str, count: int, *, exact: bool) -> float:
    with _tables(dsn):
        engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
        tables = sa.MetaData(schema="peer")
        tables.reflect(engine, only=["customers", "loans"])
        started = time.perf_counter()
        with engine.begin() as connection:
            connection.execute(sa.insert(tables.tables["peer.customers"]), _FactoryCustomer.build_batch(count))
            loans = [dataclasses.asdict(loan) for loan in _loans(count, exact=exact)]
            connection.execute(sa.insert(tables.tables["peer.loans"]), loans)
        seconds = time.perf_counter() - started
        engine.dispose()
        return count * (1 + LOANS_EACH) / seconds


PEERS: dict[str, Callable[[int], Sequence[Customer]]] = {
    "Faker, COPY": _by_faker,
    "mimesis, COPY": _by_mimesis,
    "polyfactory, COPY": _by_polyfactory,
}


def _our_rate(local: LocalDatabase, folder: Path, customers: int) -> float:
    """The flow from begin to published, by two workers, of a manifest with customers and loans only."""
    path = folder / "globex.yaml"
    path.write_text(_with_customers_and_loans_only(text_with(customers)))
    program = [sys.executable, str(Path(__file__).with_name("flow_once.py")), str(path)]
    environment = os.environ | {"SEED_HOME": str(folder / "home"), "SEED_DATABASE_URL": local.loader_url()}
    done = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return customers * (1 + LOANS_EACH) / float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _with_customers_and_loans_only(text: str) -> str:
    manifest = yaml.safe_load(text)
    kept = ("tenants", "customers", "loans")
    manifest["volumetry"] = {entity: volume for entity, volume in manifest["volumetry"].items() if entity in kept}
    return sealed_text(yaml.safe_dump(manifest, sort_keys=False))


if __name__ == "__main__":
    main()

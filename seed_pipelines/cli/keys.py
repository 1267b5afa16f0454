"""`seed-data keys`: what Vault says about a tenant's keys, and their rotation. No secret is shown."""

import json
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seed_pipelines.control.data_keys import KeptKey
    from seed_pipelines.outside.postgres import Connection
    from seed_pipelines.outside.vault import TransitKey, Vault
    from seed_pipelines.outside.vault_session import VaultSettings

app = typer.Typer(help="Look at and rotate the keys that mask and sign.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment, such as staging.")]
Tenant = Annotated[str, typer.Argument(help="The tenant, such as acme.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]

REFUSED_EXIT_CODE = 3


@app.command()
def status(environment: Environment, tenant: Tenant, as_json: AsJson = False) -> None:
    """The masking key and the data key of a tenant, and the signing key of its environment. Exit code 3 where a run
    would be refused.

    Example: seed-data keys status staging acme
    """
    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.outside.vault import Vault

    settings = _vault_settings(environment, tenant)
    with with_database() as connection, Vault(settings) as vault:
        found = _mask_state(vault, environment, tenant, pinned=settings.key_version)
        found["data_key"] = _data_key_state(vault, connection, environment, tenant)
        found["signing_key"] = _signing_state(vault, environment)
        of_parts = (found[part].pop("doubts") for part in ("data_key", "signing_key"))
        found["doubts"] = [*found["doubts"], *chain.from_iterable(of_parts)]
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print_state(found)
    if found["doubts"]:
        raise typer.Exit(REFUSED_EXIT_CODE)


@app.command()
def rotate(
    environment: Environment,
    tenant: Tenant,
    signing: Annotated[
        bool, typer.Option("--signing", help="The environment's signing key, not the tenant's keys.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a tenant's keys new versions in Vault, and wrap its data key anew. No masked and no encrypted value changes:
    SEED_VAULT_KEY_VERSION pins the version that masks, and the data key stays what it is.

    Example: seed-data keys rotate staging acme
    """
    from seed_pipelines.outside.vault import Vault, report_key_name

    settings = _vault_settings(environment, tenant)
    if signing:
        name = report_key_name(environment)
        with Vault(settings) as vault:
            states, follows = [vault.rotate(name)], _after_signing_rotation(name)
    else:
        states, follows = _rotate_keys_of_tenant(settings, environment, tenant)
    if as_json:
        typer.echo(json.dumps({"rotated": [asdict(state) for state in states], "follows": follows}))
        return
    for state in states:
        typer.echo(f"{state.key} has version {state.latest_version} now")
    for line in follows:
        typer.echo(f"  {line}")


def _rotate_keys_of_tenant(
    settings: "VaultSettings", environment: str, tenant: str
) -> "tuple[list[TransitKey], list[str]]":
    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.control import data_keys
    from seed_pipelines.outside.vault import Vault, mask_key_name, wrapping_key_name

    # The database first: a wrapping key that is rotated and a data key that is not wrapped anew would be half done.
    with with_database() as connection, Vault(settings) as vault:
        names = (mask_key_name(environment, tenant), wrapping_key_name(environment, tenant))
        states = [vault.rotate(name) for name in names]
        renewed = data_keys.rewrap(connection, vault, environment=environment, tenant=tenant)
    return states, [*_after_mask_rotation(settings.key_version), _after_rewrap(renewed)]


def _vault_settings(environment: str, tenant: str) -> "VaultSettings":
    from seed_pipelines.cli.doors import installation_of
    from seed_pipelines.errors import MaskKeyUnavailable

    settings = installation_of().vault()
    if settings is None:
        what, cure = f"{environment}/{tenant}", "Set SEED_VAULT_ADDR and its credentials."
        raise MaskKeyUnavailable(what, why="no Vault is set", what_to_do=cure)
    return settings


def _mask_state(vault: "Vault", environment: str, tenant: str, *, pinned: int) -> "dict[str, Any]":
    from seed_pipelines.mask.keys import FieldKeys
    from seed_pipelines.outside.vault import findings_of, mask_key_name

    state = vault.key_state(mask_key_name(environment, tenant))
    doubts = [f"Vault {why}. {what_to_do}" for why, what_to_do in findings_of(state, pinned)]
    key_check = None
    if not doubts:
        with FieldKeys(vault.derive_prk(environment, tenant), environment=environment, tenant=tenant) as keys:
            key_check = keys.key_check
    return {**asdict(state), "pinned_version": pinned, "key_check": key_check, "doubts": doubts}


def _data_key_state(vault: "Vault", connection: "Connection", environment: str, tenant: str) -> "dict[str, Any]":
    from seed_pipelines.control import data_keys
    from seed_pipelines.outside.vault import wrapping_findings_of, wrapping_key_name

    kept = data_keys.kept(connection, environment=environment, tenant=tenant)
    state = vault.key_state(wrapping_key_name(environment, tenant))
    wrapped_at = kept.wrapped.key_version if kept is not None else state.latest_version
    return {
        **asdict(state),
        "wrapped_version": kept.wrapped.key_version if kept is not None else None,
        "generation": kept.generation if kept is not None else None,
        "key_check": kept.key_check if kept is not None else None,
        "doubts": [f"Vault {why}. {what_to_do}" for why, what_to_do in wrapping_findings_of(state, wrapped_at)],
    }


def _signing_state(vault: "Vault", environment: str) -> "dict[str, Any]":
    from seed_pipelines.evidence.signature import public_key_sha256
    from seed_pipelines.outside.vault import report_key_name, signing_findings_of

    state = vault.key_state(report_key_name(environment))
    doubts = [f"Vault {why}. {what_to_do}" for why, what_to_do in signing_findings_of(state)]
    # A key of another kind has no public half to name.
    public = None if doubts else public_key_sha256(vault.report_key(environment).pem)
    return {**asdict(state), "public_key_sha256": public, "doubts": doubts}


def _after_mask_rotation(pinned: int) -> list[str]:
    return [
        f"runs go on with version {pinned}, which SEED_VAULT_KEY_VERSION pins: no masked value changes",
        "to begin a new pseudonym epoch, raise SEED_VAULT_KEY_VERSION and reseed: every masked value changes then",
        f"while version {pinned} masks, min_decryption_version stays at {pinned} or less, min_encryption_version at 0",
    ]


def _after_rewrap(renewed: "KeptKey | None") -> str:
    if renewed is None:
        return "there is no data key yet: the first seed run makes one"
    version, generation = renewed.wrapped.key_version, renewed.generation
    return f"the data key is wrapped at version {version} (generation {generation}): what is encrypted stays as it is"


def _after_signing_rotation(name: str) -> list[str]:
    return [
        "the next report is signed by the new version; reports that are there name the version that signed them",
        f"publish the new public key: vault read -field=keys transit/keys/{name}",
    ]


def _print_state(found: "Mapping[str, object]") -> None:
    for name, value in found.items():
        if name not in ("doubts", "data_key", "signing_key"):
            typer.echo(f"{name:24}{'not known' if value is None else value}")
    data_key = found["data_key"]
    if isinstance(data_key, dict):
        wrapped = data_key["wrapped_version"]
        typer.echo(f"{'wrapping key':24}{data_key['key']}, version {data_key['latest_version']}")
        typer.echo(f"{'data key':24}" + ("not made yet" if wrapped is None else f"wrapped at version {wrapped}"))
        typer.echo(f"{'its key_check':24}{data_key['key_check'] or 'not known'}")
    signing = found["signing_key"]
    if isinstance(signing, dict):
        typer.echo(f"{'signing key':24}{signing['key']}, version {signing['latest_version']}")
        typer.echo(f"{'its public key, SHA-256':24}{signing['public_key_sha256'] or 'not known'}")
    doubts = found["doubts"]
    for doubt in doubts if isinstance(doubts, list) else []:
        typer.echo(f"a run would be refused: {doubt}", err=True)

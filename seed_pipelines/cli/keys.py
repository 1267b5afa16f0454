"""`seed-data keys`: what Vault says about a tenant's keys, and their rotation. Nothing secret is shown or fetched."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seed_pipelines.outside.vault import Vault
    from seed_pipelines.outside.vault_session import VaultSettings

app = typer.Typer(help="Look at and rotate the keys that mask and sign.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment, such as staging.")]
Tenant = Annotated[str, typer.Argument(help="The tenant, such as acme.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]

REFUSED_EXIT_CODE = 3


@app.command()
def status(environment: Environment, tenant: Tenant, as_json: AsJson = False) -> None:
    """The masking key of a tenant and the signing key of its environment. Exit code 3 where a run would be refused.

    Example: seed-data keys status staging acme
    """
    from seed_pipelines.outside.vault import Vault

    settings = _vault_settings(environment, tenant)
    with Vault(settings) as vault:
        found = _mask_state(vault, environment, tenant, pinned=settings.key_version)
        found["signing_key"] = _signing_state(vault, environment)
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
        bool, typer.Option("--signing", help="The environment's signing key, not the masking key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a key a new version in Vault. Masked values stay: SEED_VAULT_KEY_VERSION pins the version that masks.

    Example: seed-data keys rotate staging acme
    """
    from seed_pipelines.outside.vault import Vault, mask_key_name, report_key_name

    settings = _vault_settings(environment, tenant)
    name = report_key_name(environment) if signing else mask_key_name(environment, tenant)
    with Vault(settings) as vault:
        state = vault.rotate(name)
    follows = _after_signing_rotation(name) if signing else _after_mask_rotation(settings.key_version)
    if as_json:
        typer.echo(json.dumps({**asdict(state), "follows": follows}))
        return
    typer.echo(f"{name} has version {state.latest_version} now")
    for line in follows:
        typer.echo(f"  {line}")


def _vault_settings(environment: str, tenant: str) -> "VaultSettings":
    from seed_pipelines.cli.doors import installation_of
    from seed_pipelines.errors import MaskKeyUnavailable

    settings = installation_of().vault()
    if settings is None:
        what, cure = f"{environment}/{tenant}", "Set SEED_VAULT_ADDR and its credentials."
        raise MaskKeyUnavailable(what, why="no Vault is set", what_to_do=cure)
    return settings


def _mask_state(vault: "Vault", environment: str, tenant: str, *, pinned: int) -> "dict[str, object]":
    from seed_pipelines.mask.keys import FieldKeys
    from seed_pipelines.outside.vault import findings_of, mask_key_name

    state = vault.key_state(mask_key_name(environment, tenant))
    doubts = [f"Vault {why}. {what_to_do}" for why, what_to_do in findings_of(state, pinned)]
    key_check = None
    if not doubts:
        with FieldKeys(vault.derive_prk(environment, tenant), environment=environment, tenant=tenant) as keys:
            key_check = keys.key_check
    return {**asdict(state), "pinned_version": pinned, "key_check": key_check, "doubts": doubts}


def _signing_state(vault: "Vault", environment: str) -> "dict[str, object]":
    from seed_pipelines.evidence.signature import public_key_sha256
    from seed_pipelines.outside.vault import report_key_name

    state, public = vault.key_state(report_key_name(environment)), vault.report_key(environment)
    return {**asdict(state), "public_key_sha256": public_key_sha256(public.pem)}


def _after_mask_rotation(pinned: int) -> list[str]:
    return [
        f"runs go on with version {pinned}, which SEED_VAULT_KEY_VERSION pins: no masked value changes",
        "to begin a new pseudonym epoch, raise SEED_VAULT_KEY_VERSION and reseed: every masked value changes then",
        f"while version {pinned} masks, min_decryption_version stays at {pinned} or less, min_encryption_version at 0",
    ]


def _after_signing_rotation(name: str) -> list[str]:
    return [
        "the next report is signed by the new version; reports that are there name the version that signed them",
        f"publish the new public key: vault read -field=keys transit/keys/{name}",
    ]


def _print_state(found: "Mapping[str, object]") -> None:
    for name, value in found.items():
        if name not in ("doubts", "signing_key"):
            typer.echo(f"{name:24}{'not known' if value is None else value}")
    signing = found["signing_key"]
    if isinstance(signing, dict):
        typer.echo(f"{'signing key':24}{signing['key']}, version {signing['latest_version']}")
        typer.echo(f"{'its public key, SHA-256':24}{signing['public_key_sha256']}")
    doubts = found["doubts"]
    for doubt in doubts if isinstance(doubts, list) else []:
        typer.echo(f"a run would be refused: {doubt}", err=True)

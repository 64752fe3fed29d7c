"""``kmsfast public-key``, ``derive`` and ``data-key-pair``."""

from __future__ import annotations

from typing import Any

import click

from kmsfast.cli.arguments import context_option, force_option, key_option, named_in, pairs
from kmsfast.cli.outputs import opened_outputs, refuse_mixed
from kmsfast.cli.records import base64_of, output_option, read_one, result
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, print_json

__all__ = ["data_key_pair", "derive", "public_key"]

_key_argument = click.argument("key_name", metavar="KEY")


@click.command("public-key")
@_key_argument
@click.option("--der", is_flag=True, help="Write DER, not PEM.")
@output_option()
@force_option
@json_option
@pass_session
def public_key(session: Session, /, key_name: str, *, der: bool, **results: Any) -> None:
    """Print the public key of a key pair: SubjectPublicKeyInfo, as PEM unless told otherwise."""
    refuse_mixed(results["output"], as_json=results["as_json"])
    key = session.kms.key(key_name)
    facts = {
        "key": key.arn,
        "spec": str(key.spec),
        "usage": str(key.usage),
        "algorithms": list(key.algorithms),
    }
    shown = results["output"] is None
    if shown and not results["as_json"] and not der:
        click.echo(key.public_key_pem(), nl=False)
        return
    value = key.public_key_der() if der or shown else key.public_key_pem().encode()
    result(value, facts, "public_key", **results)


@click.command()
@_key_argument
@click.argument("peer", metavar="PUBLIC_KEY", type=click.Path(readable=False))
@output_option()
@force_option
@json_option
@pass_session
def derive(session: Session, /, key_name: str, peer: str, **results: Any) -> None:
    """Derive the secret of a key and somebody else's public key (ECDH).

    PUBLIC_KEY is a file with the public key, PEM or DER. The secret is raw: derive keys from it.
    """
    refuse_mixed(results["output"], as_json=results["as_json"])
    if results["output"] is None and not results["as_json"]:
        raise click.UsageError("the secret needs --output, or --json")
    key = session.kms.key(key_name)
    secret = key.derive_shared_secret(read_one(peer))
    facts = {"key": key.arn, "algorithm": ", ".join(key.algorithms), "origin": str(key.origin)}
    result(secret, facts, "shared_secret", secret=True, **results)


@click.command("data-key-pair")
@click.argument("spec", metavar="SPEC", shell_complete=named_in("KeySpec"))
@key_option
@context_option
@click.option("--public", metavar="FILE", required=True, help="Where the public key goes, as PEM.")
@click.option(
    "--blob", metavar="FILE", required=True,
    help="Where the private key goes, encrypted: DER PrivateKeyInfo as a blob.",
)  # fmt: skip
@click.option("--private", metavar="FILE", help="Where it goes in the clear as well, as DER.")
@force_option
@json_option
@pass_session
def data_key_pair(
    session: Session,
    /,
    spec: str,
    key_name: str,
    *,
    context: tuple[tuple[str, str], ...],
    force: bool,
    as_json: bool,
    **outputs: str | None,
) -> None:
    """Make a key pair for use elsewhere, its private key encrypted by KEY.

    SPEC is that of any pair: RSA_2048, ECC_NIST_P256, ML_DSA_65...
    """
    from kmsfast.crypto.pkcs8 import public_pem

    chosen = {name: path for name, path in outputs.items() if path is not None}
    for path in chosen.values():
        refuse_mixed(path, as_json=as_json)
    private = [path for name, path in chosen.items() if name == "private"]
    with opened_outputs(list(chosen.values()), force=force, private=private) as opened:
        files = dict(zip(chosen, opened, strict=True))
        key, bound = session.kms.key(key_name), pairs(context, "--context") or None
        make = (
            key.generate_data_key_pair
            if "private" in files
            else key.generate_data_key_pair_without_plaintext
        )
        made = make(spec, bound)
        files["blob"].write(made.private_key_blob)
        files["public"].write(public_pem(made.public_key))
        if made.private_key is not None:
            files["private"].write(made.private_key)
    if as_json:
        print_json(
            {"key": made.key_arn, "spec": str(made.spec), "public_key": base64_of(made.public_key)}
        )

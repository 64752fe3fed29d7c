"""``kmsfast public-key``, ``derive``, ``encapsulate``, ``decapsulate`` and ``data-key-pair``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.arguments import context_option, force_option, key_option, named_in, pairs
from kmsfast.cli.outputs import opened_outputs, refuse_mixed
from kmsfast.cli.records import base64_of, output_option, read_one, result
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, print_json

if TYPE_CHECKING:
    from kmsfast.local import Key

__all__ = ["data_key_pair", "decapsulate", "derive", "encapsulate", "public_key"]

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
    _check_place(**results)
    key = session.kms.key(key_name)
    _give(key, key.derive_shared_secret(read_one(peer)), origin=str(key.origin), **results)


@click.command()
@_key_argument
@click.option(
    "--ciphertext", metavar="FILE",
    help="Where the ciphertext goes, which carries the secret to whoever has the private key.",
)  # fmt: skip
@output_option()
@force_option
@json_option
@pass_session
def encapsulate(
    session: Session,
    /,
    key_name: str,
    *,
    ciphertext: str | None,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a shared secret and the ciphertext that carries it (ML-KEM)."""
    places = {"shared_secret": output, "ciphertext": ciphertext}
    chosen = {name: path for name, path in places.items() if path is not None}
    if len(chosen) < len(places) and not as_json:
        raise click.UsageError(
            "the secret needs --output and what carries it --ciphertext, or --json shows them"
        )
    for path in chosen.values():
        refuse_mixed(path, as_json=as_json)
    private = [] if output is None else [output]
    with opened_outputs(list(chosen.values()), force=force, private=private) as opened:
        key = session.kms.key(key_name)
        made = key.encapsulate()
        facts = {"shared_secret": made.shared_secret, "ciphertext": made.ciphertext}
        for name, file in zip(chosen, opened, strict=True):
            file.write(facts.pop(name))
    if as_json:
        shown = {name: base64_of(value) for name, value in facts.items()}
        print_json({"key": made.key_arn, "algorithm": ", ".join(key.algorithms), **shown})


@click.command()
@_key_argument
@click.argument("ciphertext", metavar="CIPHERTEXT", type=click.Path(readable=False))
@output_option()
@force_option
@json_option
@pass_session
def decapsulate(session: Session, /, key_name: str, ciphertext: str, **results: Any) -> None:
    """Recover the shared secret that CIPHERTEXT, a file, carries (ML-KEM).

    A changed ciphertext, or one of another key, gives a secret that nobody else has: confirm that
    both sides have the same one before it is used.
    """
    _check_place(**results)
    key = session.kms.key(key_name)
    _give(key, key.decapsulate(read_one(ciphertext)), **results)


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


def _check_place(*, output: str | None, as_json: bool, **_: Any) -> None:
    """Passes when a secret has a place to go: it is not shown unless asked for."""
    refuse_mixed(output, as_json=as_json)
    if output is None and not as_json:
        raise click.UsageError("the secret needs --output, or --json")


def _give(key: Key, secret: bytes, *, origin: str | None = None, **results: Any) -> None:
    """A shared secret, to its file or as JSON."""
    facts = {"key": key.arn, "algorithm": ", ".join(key.algorithms)}
    if origin is not None:
        facts["origin"] = origin
    result(secret, facts, "shared_secret", secret=True, **results)

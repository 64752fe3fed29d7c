"""``kmsfast material``: key material that comes from elsewhere."""

from __future__ import annotations

from datetime import datetime

import click

from kmsfast.cli.arguments import force_option
from kmsfast.cli.inputs import STANDARD
from kmsfast.cli.keys import key_argument
from kmsfast.cli.moments import Moment
from kmsfast.cli.outputs import opened_outputs
from kmsfast.cli.records import read_all
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, moment, print_json

__all__ = ["material"]


@click.group()
def material() -> None:
    """Key material from elsewhere, for keys of origin EXTERNAL.

    Ask for parameters, wrap the material with the public key, and import it with the token.
    """


@material.command()
@key_argument
@click.option(
    "--algorithm", default="RSA_AES_KEY_WRAP_SHA_256", show_default=True, metavar="ALGORITHM",
    help="How the material will be wrapped: RSA_AES_KEY_WRAP_SHA_256 or _SHA_1, or "
    "RSAES_OAEP_SHA_256 or _SHA_1 for short material.",
)  # fmt: skip
@click.option(
    "--wrapping-key", default="RSA_4096", show_default=True, metavar="SPEC",
    help="The public key to make: RSA_2048, RSA_3072 or RSA_4096.",
)  # fmt: skip
@click.option("--public", metavar="FILE", required=True, help="Where the public key goes, as DER.")
@click.option("--token", metavar="FILE", required=True, help="Where the import token goes.")
@force_option
@json_option
@pass_session
def parameters(
    session: Session,
    /,
    key_name: str,
    *,
    algorithm: str,
    wrapping_key: str,
    force: bool,
    as_json: bool,
    **outputs: str,
) -> None:
    """Make a public key to wrap material with, and the token that goes back with it."""
    if STANDARD in outputs.values():
        raise click.UsageError("--public and --token are files: standard output says until when")
    with opened_outputs([outputs["public"], outputs["token"]], force=force) as (public, token):
        made = session.kms.key(key_name).get_parameters_for_import(
            wrapping_algorithm=algorithm, wrapping_key_spec=wrapping_key
        )
        public.write(made.public_key)
        token.write(made.import_token)
    if as_json:
        print_json({"key": made.key_arn, "valid_to": moment(made.valid_to)})
    else:
        click.echo(f"both can be used until {moment(made.valid_to)}")


@material.command("import")
@key_argument
@click.option("--token", metavar="FILE", required=True, help="The import token.")
@click.option(
    "--material", "wrapped", metavar="FILE", required=True,
    help="The wrapped key material; - for stdin.",
)  # fmt: skip
@click.option("--expires", type=Moment(), help="When the material expires, within a year.")
@click.option(
    "--never-expires", is_flag=True, help="It does not expire. This or the other is said."
)
@click.option("--new", is_flag=True, help="It is new to the key, and waits for the next rotation.")
@click.option("--description", help="What the material is; up to 256 characters.")
@click.option("--material-id", metavar="ID", help="It must be the material of this id.")
@json_option
@pass_session
def import_material(
    session: Session,
    /,
    key_name: str,
    *,
    token: str,
    wrapped: str,
    expires: datetime | None,
    never_expires: bool,
    new: bool,
    description: str | None,
    material_id: str | None,
    as_json: bool,
) -> None:
    """Import wrapped key material into a key.

    A key takes the same material again when it was deleted, has expired, or shall expire otherwise.
    """
    if never_expires == (expires is not None):
        raise click.UsageError("say --expires TIME or --never-expires")
    found = session.kms.key(key_name)
    done = found.import_key_material(
        read_all(token),
        read_all(wrapped),
        valid_to=expires,
        expiration_model="KEY_MATERIAL_" + ("DOES_NOT_EXPIRE" if never_expires else "EXPIRES"),
        import_type="NEW_KEY_MATERIAL" if new else None,
        key_material_description=description,
        key_material_id=material_id,
    )
    if as_json:
        print_json(
            {"key": done.key_arn, "material_id": done.material_id, "state": str(found.state)}
        )
        return
    waits = any(version.number > found.current_version for version in found.versions())
    click.echo(f"{found.id} has it" + (", which waits for 'kmsfast key rotate'" if waits else ""))
    if done.material_id is not None:
        click.echo(f"material id {done.material_id}")


@material.command()
@key_argument
@click.option("--material-id", metavar="ID", help="Which material.  [default: the current one]")
@json_option
@pass_session
def delete(session: Session, key_name: str, material_id: str | None, as_json: bool) -> None:
    """Delete imported material. The key is unusable until the same is imported again."""
    found = session.kms.key(key_name)
    gone = found.delete_imported_key_material(material_id)
    if as_json:
        print_json(
            {"key": gone.key_arn, "material_id": gone.material_id, "state": str(found.state)}
        )
    else:
        click.echo(f"{found.id} is {found.state}")

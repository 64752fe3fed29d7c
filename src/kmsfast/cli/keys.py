"""``kmsfast key``: the life of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from kmsfast.cli.arguments import Pair, named_in, pairs
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import facts, json_option, moment, print_json, table

if TYPE_CHECKING:
    from kmsfast.local import Key
    from kmsfast.model.key import KeyVersion
    from kmsfast.model.usage import LastUsage

__all__ = ["key"]

key_argument = click.argument("key_name", metavar="KEY")
days_option = click.option(
    "--days", type=int, default=30, show_default=True, help="Waiting period, 7 to 30 days."
)


@click.group()
def key() -> None:
    """Keys: create, list, rotate, disable, delete. KEY is an id, an ARN or an alias."""


@key.command()
@click.option(
    "--spec", default="SYMMETRIC_DEFAULT", show_default=True, metavar="SPEC",
    shell_complete=named_in("KeySpec"),
    help="Kind of key, as AWS names it: RSA_2048, ECC_NIST_P256, HMAC_256, ML_DSA_65...",
)  # fmt: skip
@click.option(
    "--usage", metavar="USAGE", shell_complete=named_in("KeyUsage"),
    help="ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT or "
    "ENCAPSULATE_DECAPSULATE, where the spec has more than one.",
)  # fmt: skip
@click.option(
    "--origin", default="AWS_KMS", show_default=True, metavar="ORIGIN",
    shell_complete=named_in("Origin"),
    help="AWS_KMS: material is made here. EXTERNAL: it will be imported (kmsfast material). "
    "AWS_CLOUDHSM, EXTERNAL_KEY_STORE: it is in a custom key store.",
)  # fmt: skip
@click.option(
    "--key-store", "custom_key_store_id", metavar="ID", help="The custom key store, by its id."
)
@click.option("--xks-key-id", metavar="ID", help="The external key, as its proxy names it.")
@click.option("--alias", help="Also give it this alias (alias/NAME).")
@click.option("--description", default="", help="What the key is for.")
@click.option("--tag", "tags", type=Pair(), multiple=True, help="A tag. Repeatable.")
@click.option("--rotation-days", type=int, help="Rotate by itself every so many days, 90 to 2560.")
@click.option("--multi-region", is_flag=True, help="Make it a multi-Region key.")
@click.option(
    "--administrator", "administrators", multiple=True, metavar="ARN",
    help="Who manages the key and cannot use it: a user or role, by ARN or name. Repeatable.",
)  # fmt: skip
@click.option(
    "--user", "users", multiple=True, metavar="ARN",
    help="Who uses the key and cannot manage it: likewise, or another account. Repeatable.",
)  # fmt: skip
@json_option
@pass_session
def create(
    session: Session,
    /,
    tags: tuple[tuple[str, str], ...],
    rotation_days: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Create a key and print its id."""
    made = session.kms.create_key(
        tags=pairs(tags, "--tag"), rotation_period_days=rotation_days, **given
    )
    if as_json:
        print_json(_described(made))
    else:
        click.echo(made.id)


@key.command("list")
@json_option
@pass_session
def list_keys(session: Session, as_json: bool) -> None:
    """List all keys."""
    found = session.kms.keys()
    if as_json:
        print_json([_described(item) for item in found])
        return
    table(
        ("KEY", "ALIASES", "SPEC", "STATE", "VERSION", "CREATED", "DESCRIPTION"),
        [
            (
                item.id,
                ",".join(item.aliases),
                item.spec,
                item.state,
                item.current_version,
                moment(item.created_at),
                item.description,
            )
            for item in found
        ],
    )


@key.command()
@key_argument
@json_option
@pass_session
def describe(session: Session, key_name: str, as_json: bool) -> None:
    """Show everything about a key but its material."""
    found = session.kms.key(key_name)
    known = _described(found)
    usage = found.last_usage()
    if as_json:
        print_json(known | {"last_usage": _used(usage)})
        return
    versions = known.pop("versions")
    known["aliases"] = ", ".join(known["aliases"])
    known["algorithms"] = ", ".join(known["algorithms"])
    if "regions" in known:
        known["regions"] = ", ".join(known["regions"])
    known["tags"] = ", ".join(f"{name}={value}" for name, value in known["tags"].items())
    rotation = known.pop("rotation")
    known["rotation"] = f"every {rotation['period_days']} days" if rotation["enabled"] else "off"
    known["next_rotation"] = rotation["next_rotation"]
    since = f"not since {moment(usage.tracking_start)}"
    known["last_used"] = (
        f"{moment(usage.use.used_at)}, {usage.use.operation}" if usage.use else since
    )
    current = known["current_version"]
    facts({name.replace("_", " "): value for name, value in known.items()})
    click.echo()
    table(
        ("VERSION", "CREATED", "ORIGIN", "MATERIAL"),
        [
            (item["number"], item["created_at"], item["origin"], _material_of(item, current))
            for item in versions
        ],
    )


@key.command(short_help="Add a version, which encrypts from now on.")
@key_argument
@json_option
@pass_session
def rotate(session: Session, key_name: str, as_json: bool) -> None:
    """Add a version, which encrypts from now on; the old ones still decrypt."""
    found = session.kms.key(key_name)
    found.rotate()
    found = session.kms.key(found.id)
    if as_json:
        print_json(_described(found))
    else:
        click.echo(f"{found.id} is at version {found.current_version}")


@key.command("enable-rotation")
@key_argument
@click.option(
    "--days", type=int, default=365, show_default=True, help="Rotation period, 90 to 2560 days."
)
@pass_session
def enable_rotation(session: Session, key_name: str, days: int) -> None:
    """Rotate a key by itself whenever the period is over."""
    found = session.kms.key(key_name)
    found.enable_rotation(days)
    click.echo(f"{found.id} rotates every {days} days")


@key.command("disable-rotation")
@key_argument
@pass_session
def disable_rotation(session: Session, key_name: str) -> None:
    """Stop rotating a key by itself."""
    found = session.kms.key(key_name)
    found.disable_rotation()
    click.echo(f"{found.id} rotates on demand only")


@key.command()
@key_argument
@pass_session
def enable(session: Session, key_name: str) -> None:
    """Let a disabled key be used again."""
    found = session.kms.key(key_name)
    found.enable()
    click.echo(f"{found.id} is enabled")


@key.command(short_help="Refuse every use of a key.")
@key_argument
@pass_session
def disable(session: Session, key_name: str) -> None:
    """Refuse all use of a key until it is enabled again."""
    found = session.kms.key(key_name)
    found.disable()
    click.echo(f"{found.id} is disabled")


@key.command(short_help="Make a replica of a multi-Region key in another region.")
@key_argument
@click.argument("region")
@click.option("--description", default="", help="What the replica is for.")
@click.option("--tag", "tags", type=Pair(), multiple=True, help="A tag. Repeatable.")
@pass_session
def replicate(
    session: Session,
    key_name: str,
    region: str,
    description: str,
    tags: tuple[tuple[str, str], ...],
) -> None:
    """Make a replica of a multi-Region key in another region.

    The replica has the same id and material; policy, tags, aliases and state are its own.
    """
    found = session.kms.key(key_name)
    made = found.replicate(region, description=description, tags=pairs(tags, "--tag"))
    click.echo(made.arn)


@key.command("update-primary-region", short_help="Make a replica the primary key.")
@key_argument
@click.argument("region")
@pass_session
def update_primary_region(session: Session, key_name: str, region: str) -> None:
    """Make the replica in REGION the primary key, and KEY a replica of it."""
    found = session.kms.key(key_name)
    found.update_primary_region(region)
    click.echo(f"{found.id} has its primary in {region}")


@key.command()
@key_argument
@days_option
@json_option
@pass_session
def delete(session: Session, key_name: str, days: int, as_json: bool) -> None:
    """Delete a key after a waiting period. What it encrypted is lost then."""
    found = session.kms.key(key_name)
    found.schedule_deletion(days)
    found = session.kms.key(found.id)
    if as_json:
        print_json(_described(found))
        return
    when = (
        f"on {moment(found.deletion_date)}"
        if found.deletion_date
        else (f"{days} days after the last of its replicas")
    )
    click.echo(f"{found.id} is deleted {when}; until then:")
    click.echo(f"  kmsfast key cancel-deletion {found.id}")


@key.command("cancel-deletion", short_help="Keep a key that waits for its deletion.")
@key_argument
@pass_session
def cancel_deletion(session: Session, key_name: str) -> None:
    """Keep a key that waits for its deletion; it is disabled until it is enabled."""
    found = session.kms.key(key_name)
    found.cancel_deletion()
    click.echo(f"{found.id} stays, disabled; 'kmsfast key enable {found.id}' lets it be used")


@key.command()
@key_argument
@click.option("--description", required=True, help="The new description.")
@pass_session
def update(session: Session, key_name: str, description: str) -> None:
    """Change the description of a key."""
    session.kms.key(key_name).update_description(description)


@key.command()
@key_argument
@click.argument("tags", type=Pair(), nargs=-1, required=True, metavar="NAME=VALUE...")
@pass_session
def tag(session: Session, key_name: str, tags: tuple[tuple[str, str], ...]) -> None:
    """Set tags of a key."""
    session.kms.key(key_name).tag(pairs(tags, "the tags"))


@key.command()
@key_argument
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pass_session
def untag(session: Session, key_name: str, names: tuple[str, ...]) -> None:
    """Remove tags of a key."""
    session.kms.key(key_name).untag(names)


@key.command()
@key_argument
@pass_session
def policy(session: Session, key_name: str) -> None:
    """Print the policy of a key."""
    click.echo(session.kms.key(key_name).get_policy())


@key.command("put-policy", short_help="Give a key another policy.")
@key_argument
@click.argument("document", metavar="FILE", type=click.File("r", encoding="utf-8"))
@pass_session
def put_policy(session: Session, key_name: str, document: TextIO) -> None:
    """Give a key the policy that FILE holds; - is standard input."""
    session.kms.key(key_name).put_policy(document.read())


@key.group(short_help="Names that can be pointed to another key.")
def alias() -> None:
    """Aliases: names for keys that can be pointed to another key."""


@alias.command("create")
@click.argument("name", metavar="alias/NAME")
@key_argument
@pass_session
def create_alias(session: Session, name: str, key_name: str) -> None:
    """Give a key an alias."""
    session.kms.create_alias(name, key_name)


@alias.command("update")
@click.argument("name", metavar="alias/NAME")
@key_argument
@pass_session
def update_alias(session: Session, name: str, key_name: str) -> None:
    """Point an alias to another key."""
    session.kms.update_alias(name, key_name)


@alias.command("delete")
@click.argument("name", metavar="alias/NAME")
@pass_session
def delete_alias(session: Session, name: str) -> None:
    """Remove an alias; its key stays."""
    session.kms.delete_alias(name)


@alias.command("list")
@json_option
@pass_session
def list_aliases(session: Session, as_json: bool) -> None:
    """List all aliases."""
    found = sorted((name, item.id) for item in session.kms.keys() for name in item.aliases)
    if as_json:
        print_json([{"alias": name, "key_id": target} for name, target in found])
    else:
        table(("ALIAS", "KEY"), found)


def _material_of(version: dict[str, Any], current: int) -> str:
    """Imported material in a few words."""
    if not version.get("is_present", True):
        return "gone; import it again"
    words = ["waits for rotation"] if version["number"] > current else []
    if version.get("valid_to"):
        words.append(f"expires {version['valid_to']}")
    return ", ".join(words)


def _imported(version: KeyVersion) -> dict[str, Any]:
    """What is said of imported material."""
    if version.origin != "imported":
        return {}
    return {
        "material_description": version.description,
        "valid_to": moment(version.valid_to),
        "is_present": version.is_present,
    }


def _key_store(item: Key) -> dict[str, Any]:
    """In which custom key store a key is, if it is in one."""
    backing = item.backing
    if backing is None:
        return {}
    return {"custom_key_store_id": backing.key_store_id, "name_in_key_store": backing.name}


def _used(usage: LastUsage) -> dict[str, Any]:
    """The last use of a key as JSON shows it."""
    use = usage.use
    return {
        "operation": use and use.operation,
        "used_at": use and moment(use.used_at),
        "request_id": use and use.request_id,
        "event_id": use and use.event_id,
        "tracking_start": moment(usage.tracking_start),
    }


def _described(item: Key) -> dict[str, Any]:
    """A key as JSON shows it."""
    rotation = item.rotation
    return {
        "id": item.id,
        "arn": item.arn,
        "aliases": sorted(item.aliases),
        "spec": str(item.spec),
        "usage": str(item.usage),
        "origin": str(item.origin),
        "algorithms": list(item.algorithms),
        "state": str(item.state),
        **({"regions": list(item.regions)} if item.multi_region else {}),
        **_key_store(item),
        "description": item.description,
        "tags": dict(item.tags),
        "created_at": moment(item.created_at),
        "deletion_date": moment(item.deletion_date),
        "current_version": item.current_version,
        "rotation": {
            "enabled": rotation.enabled,
            "period_days": rotation.period_days,
            "next_rotation": moment(rotation.next_rotation),
        },
        "versions": [
            {
                "number": version.number,
                "created_at": moment(version.created_at),
                "origin": version.origin,
                "material_id": version.material_id,
                **_imported(version),
            }
            for version in item.versions()
        ],
    }

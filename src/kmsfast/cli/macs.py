"""``kmsfast mac``: MACs of a file, or of each line of one."""

from __future__ import annotations

from typing import Any

import click

from kmsfast.cli.arguments import force_option, key_option, threads_option
from kmsfast.cli.inputs import about, source_argument
from kmsfast.cli.outputs import refuse_mixed
from kmsfast.cli.records import (
    Form,
    base64_of,
    batch_option,
    output_option,
    read_all,
    read_one,
    read_records,
    result,
    write_records,
)
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, print_json
from kmsfast.errors import InvalidMac

__all__ = ["mac"]


@click.command()
@source_argument
@key_option
@click.option(
    "--verify",
    "claimed",
    metavar="FILE",
    type=click.Path(readable=False),
    help="Verify the MAC, or the MACs, in this file instead; wrong ones end with code 3.",
)
@batch_option("lines", "hex")
@threads_option
@output_option()
@force_option
@json_option
@pass_session
def mac(
    session: Session,
    /,
    source: str,
    key_name: str,
    *,
    claimed: str | None,
    batch: Form | None,
    threads: int,
    **results: Any,
) -> None:
    """Make the MAC of a file of at most 4096 bytes, or of each line of a file."""
    refuse_mixed(results["output"], as_json=results["as_json"])
    key = session.kms.key(key_name)
    facts = {"key": key.arn, "algorithm": ", ".join(key.algorithms), "spec": str(key.spec)}
    if claimed is not None and results["output"] is not None:
        raise click.UsageError("--verify writes nothing; leave out --output")
    if batch is None:
        with about(source):
            if claimed is not None:
                key.verify_mac(read_all(source), read_one(claimed))
                _verified(1, facts, results["as_json"])
                return
            made = key.mac(read_all(source))
        result(made, facts, "mac", **results)
        return
    records = read_records(source, batch)
    if claimed is not None:
        valid = key.verify_mac_batch(records, read_records(claimed, "hex"), threads=threads)
        wrong = [i for i, good in enumerate(valid.tolist(), 1) if not good]
        _verified(len(records), facts, results["as_json"], wrong)
        return
    macs = key.mac_batch(records, threads=threads)
    if results["as_json"] and results["output"] is None:
        print_json({**facts, "macs": [base64_of(each) for each in macs]})
        return
    write_records(results["output"], macs, batch, force=results["force"])
    if results["as_json"]:
        print_json({**facts, "made": len(macs)})


def _verified(
    total: int, facts: dict[str, Any], as_json: bool, wrong: list[int] | None = None
) -> None:
    """Says what was verified.

    Raises:
        InvalidMac: some were wrong.
    """
    if as_json:
        print_json({**facts, "verified": total - len(wrong or ()), "wrong": wrong or []})
    if wrong:
        raise InvalidMac(
            f"{len(wrong)} of {total} MACs do not verify; the first is that of record {wrong[0]}"
        )
    if not as_json:
        click.echo("verified" if wrong is None else f"verified {total} MACs")

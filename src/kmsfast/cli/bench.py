"""``kmsfast bench``: what this machine does, in this process or by a running server.

Rules:
- keys of the user are used only where they are named; without, a store is made for the time of the
  measurement, and on a server keys, which are then scheduled for deletion, and named on stderr;
- results are on stdout when all of them are there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, print_json, table

if TYPE_CHECKING:
    from kmsfast.cli.measuring import Measured

__all__ = ["bench"]

_DESCRIPTION: Final = "made by kmsfast bench for one measurement"
_DAYS: Final = 7  # the least that there is
_PAIR_SPEC: Final = "ECC_NIST_P256"
_UNITS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@click.command(short_help="Measure this machine, or a running server.")
@click.option(
    "--socket", "local", type=click.Path(path_type=Path, readable=False), metavar="PATH",
    help="Measure the server at this socket, as before the command.  [env: KMSFAST_SOCKET]",
)  # fmt: skip
@click.option("-k", "--key", "key_name", metavar="KEY", help="Symmetric key to measure with.")
@click.option("--sign-key", metavar="KEY", help=f"Key pair to measure with, {_PAIR_SPEC}.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True,
    metavar="NUMBER", help="How long it takes, about.",
)  # fmt: skip
@json_option
@pass_session
def bench(
    session: Session,
    /,
    *,
    local: Path | None,
    key_name: str | None,
    sign_key: str | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure how fast keys are used: in this process, or with --socket by a running server.

    Without keys to measure with, it makes a store in the temporary directory, and removes it; on a
    server it makes two keys, and schedules their deletion.
    """
    from kmsfast.cli.measuring import Rows

    session.socket = local or session.socket
    with _keys(session, key_name, sign_key) as (kms, key, pair):
        rows = Rows(kms, key, pair, session.socket, session.region)
        if sys.stderr.isatty():
            click.echo(f"measuring, for about {seconds:g} seconds", err=True)
        found = list(rows.measured(seconds))
        facts = _facts(session, kms)
    if as_json:
        print_json({**facts, "seconds": seconds, "rows": [_described(row) for row in found]})
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in facts.items()))
        _show(found)


# ---- keys ---------------------------------------------------------------------------------------


@contextmanager
def _keys(session: Session, key: str | None, pair: str | None) -> Iterator[tuple[Any, Any, Any]]:
    """What to measure with: a store or a server, a symmetric key and a key pair, or None."""
    if key is not None or pair is not None:
        kms = session.kms
        yield kms, None if key is None else kms.key(key), _checked_pair(kms, pair)
    elif session.socket is not None:
        with _keys_of_a_server(session.kms) as made:
            yield session.kms, *made
    else:
        with _passing_store(session) as kms:
            yield kms, kms.create_key(), kms.create_key(spec=_PAIR_SPEC, usage="SIGN_VERIFY")


@contextmanager
def _passing_store(session: Session) -> Iterator[Any]:
    """A store that is gone afterwards."""
    import kmsfast

    if session.principal is not None:
        raise click.UsageError("--principal is somebody in your store: name a key there by --key")
    with (
        tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder,
        kmsfast.open(Path(folder) / "store", create=True, audit=session.audit) as kms,
    ):
        yield kms


def _checked_pair(kms: Any, name: str | None) -> Any:
    if name is None:
        return None
    pair = kms.key(name)
    if pair.spec != _PAIR_SPEC:
        raise click.UsageError(f"--sign-key: {name} is {pair.spec}; name a key of {_PAIR_SPEC}")
    return pair


@contextmanager
def _keys_of_a_server(kms: Any) -> Iterator[tuple[Any, Any]]:
    """Two new keys, which are deleted afterwards, as soon as a key can be."""
    from kmsfast.errors import AccessDenied

    made: list[Any] = []
    try:
        try:
            made.append(kms.create_key(description=_DESCRIPTION))
            made.append(
                kms.create_key(description=_DESCRIPTION, spec=_PAIR_SPEC, usage="SIGN_VERIFY")
            )
        except AccessDenied as error:
            error.add_note("no key can be made to measure with; name yours by --key and --sign-key")
            raise
        yield made[0], made[1]
    finally:
        for key in made:
            _delete(key)


def _delete(key: Any) -> None:
    from kmsfast.errors import KmsError

    try:
        key.schedule_deletion(_DAYS)
    except KmsError as error:
        click.echo(
            f"kmsfast: key {key.id}, made for the measurement, is still there: {error}", err=True
        )
    else:
        click.echo(f"key {key.id}, made for the measurement, is deleted in {_DAYS} days", err=True)


# ---- results ------------------------------------------------------------------------------------


def _facts(session: Session, kms: Any) -> dict[str, str | None]:
    """What was measured."""
    if session.socket is not None:
        server = kms.server
        return {"server": server.server, "socket": str(session.socket), "as": server.principal}
    from importlib.metadata import version

    from kmsfast.crypto import native

    core = str(native.describe()["implementation"])
    return {"in-process": f"kmsfast {version('kmsfast')}", "core": core}


def _show(rows: list[Measured]) -> None:
    table(
        ("WHAT", "CALLS", "P50", "P99", "RATE"),
        [(row.name, row.calls, _time(row.p50), _time(row.p99), _rate(row)) for row in rows],
        numbers=range(1, 5),
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def _rate(row: Measured) -> str:
    limit, letter = next((each for each in _UNITS if row.rate >= each[0]), _UNITS[-1])
    figure = row.rate / limit
    digits = 0 if figure >= 100 else 1 if figure >= 10 else 2
    unit = f" {letter}B" if row.unit == "bytes" else f"{letter} {row.unit}"
    return f"{figure:.{digits}f}{unit}/s"


def _described(row: Measured) -> dict[str, Any]:
    return {
        "name": row.name,
        "calls": row.calls,
        "p50_us": round(row.p50 * 1e6, 3),
        "p99_us": round(row.p99 * 1e6, 3),
        "rate": round(row.rate, 1),
        "unit": f"{row.unit}/s",
    }

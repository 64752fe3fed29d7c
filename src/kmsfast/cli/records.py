"""Files of many short records, a file that holds one, and where results go.

Rules:
- a file of records is text, one in hexadecimal or one as it stands per line, or binary: records of
  one length, back to back; results have the form of what they are made from;
- one result is written as it is to ``--output``, or shown as base64, as the AWS CLI does;
- a file with a signature, a MAC or a public key may hold it as it is, or as what was shown.
"""

from __future__ import annotations

import binascii
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import click

from kmsfast.cli.inputs import STANDARD, opened_output
from kmsfast.cli.show import print_json
from kmsfast.errors import ValidationError

__all__ = [
    "Form", "base64_of", "batch_option", "output_option", "read_all", "read_one",
    "read_records", "result", "write_records",
]  # fmt: skip

Form = Literal["hex", "lines", "binary"]
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
#: No message, signature or key that comes whole is longer.
_MOST: Final = 1 << 20


def batch_option(*forms: Form) -> _Decorator:
    """``--batch``: INPUT is a file of many records."""
    return click.option(
        "--batch",
        type=click.Choice(forms),
        help="INPUT holds many records: "
        + ", ".join({"hex": "hex, one per line", "lines": "lines, each a record",
                     "binary": "binary, back to back"}[form] for form in forms)
        + ".",
    )  # fmt: skip


def output_option() -> _Decorator:
    """``--output``."""
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(readable=False),
        help="Where to write; - for stdout.  [default: shown as base64]",
    )


def read_all(name: str, most: int | None = _MOST) -> bytes:
    """A whole file, or standard input.

    Raises:
        ValidationError: more than ``most`` bytes.
    """
    if name == STANDARD:
        data = _some(sys.stdin.buffer, most)
    else:
        with Path(name).open("rb") as file:
            data = _some(file, most)
    if most is not None and len(data) > most:
        raise ValidationError(f"{_called(name)} has more than {most} bytes")
    return data


def read_one(name: str) -> bytes:
    """A signature, MAC or public key: binary as it is; base64 or PEM decoded."""
    data = read_all(name)
    text = data.strip()
    if text.startswith(b"-----BEGIN ") and text.endswith(b"-----"):
        text = b"".join(line for line in text.splitlines() if not line.startswith(b"-----"))
    try:
        return b64decode(b"".join(text.split()), validate=True) if text else data
    except binascii.Error:
        return data


def read_records(name: str, form: Form, width: int = 0) -> Any:
    """The records of a file: a list of bytes, or for binary ones numpy uint8 of (n, width).

    Raises:
        ValidationError: a line that is not hexadecimal, or bytes that are no whole records.
    """
    data = read_all(name, None)
    if form == "binary":
        import numpy as np

        if not width or len(data) % width:
            raise ValidationError(
                f"{_called(name)} has {len(data)} bytes, which are no whole records of {width}"
            )
        return np.frombuffer(data, np.uint8).reshape(-1, width)
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if lines and not lines[-1]:
        del lines[-1]
    if form == "lines":
        return lines
    return [_from_hex(line, f"line {i} of {_called(name)}") for i, line in enumerate(lines, 1)]


def write_records(output: str | None, records: Any, form: Form, *, force: bool) -> None:
    """Records in the form of those they are made from; text where no output is named."""
    if form == "binary":
        if output is None:
            raise click.UsageError("--batch binary needs --output")
        data: Iterable[bytes] = (bytes(record) for record in records)
    else:
        data = (bytes(record).hex().encode() + b"\n" for record in records)
    if output is None:
        for line in data:
            click.echo(line, nl=False)
        return
    with opened_output(output, force=force) as target:
        target.writelines(data)


def result(
    value: bytes,
    facts: dict[str, Any],
    name: str,
    *,
    output: str | None,
    force: bool,
    as_json: bool,
    secret: bool = False,
) -> None:
    """One result: into the output as it is, else as base64; ``--json`` prints the facts as well.

    Args:
        name: of the result among the facts.
        secret: a file that holds it is for its owner alone.
    """
    if output is not None:
        with opened_output(output, force=force, private=secret) as target:
            target.write(value)
    if as_json:
        print_json({**facts, name: base64_of(value)} if output is None else facts)
    elif output is None:
        click.echo(base64_of(value))


def base64_of(value: bytes | Sequence[int]) -> str:
    """Bytes as text."""
    return b64encode(bytes(value)).decode()


def _some(file: BinaryIO, most: int | None) -> bytes:
    return file.read() if most is None else file.read(most + 1)


def _from_hex(line: bytes, where: str) -> bytes:
    try:
        return bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raise ValidationError(f"{where} is not hexadecimal") from None


def _called(name: str) -> str:
    return "standard input" if name == STANDARD else name

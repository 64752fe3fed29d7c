"""``kmsfast sign`` and ``verify``: a file, the files of a directory, or a file of digests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from kmsfast.cli.arguments import force_option, key_option, named_in, threads_option
from kmsfast.cli.inputs import Format, Input, about, source_argument
from kmsfast.cli.outputs import check_outputs, refuse_mixed, write_each
from kmsfast.cli.progress import Progress
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
from kmsfast.errors import InvalidSignature, ValidationError

if TYPE_CHECKING:
    from kmsfast.local import Key

__all__ = ["sign", "verify"]

_ENDING: Final = ".sig"
_PLAIN: Final = Format(None, None, "utf-8")


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """INPUT and the options of both commands."""
    for wrap in (
        json_option,
        threads_option,
        batch_option("hex", "binary"),
        click.option(
            "--encoding",
            type=click.Choice(["der", "raw"]),
            help="Of an ECDSA signature: DER, or r and s side by side.  [default: der]",
        ),
        click.option(
            "--message-type",
            type=click.Choice(["raw", "digest", "external-mu"]),
            default="raw",
            show_default=True,
            help="What INPUT is: a message of any length, its digest, or the mu of ML-DSA.",
        ),
        click.option(
            "--algorithm",
            metavar="NAME",
            shell_complete=named_in("SIGNING_ALGORITHMS"),
            help="Signing algorithm, as AWS names it, where the key has several.",
        ),
        key_option,
        source_argument,
    ):
        command = wrap(command)
    return command


class _Job:
    """A key, and how it is told to sign."""

    def __init__(self, session: Session, arguments: dict[str, Any]) -> None:
        self.source: str = arguments["source"]
        self.batch: Form | None = arguments["batch"]
        self.threads: int = arguments["threads"]
        self.directory = Path(self.source).is_dir()
        kind = arguments["message_type"]
        if kind != "raw" and self.directory:
            raise click.UsageError("the files of a directory are messages, not digests")
        if self.batch and self.directory:
            raise click.UsageError("--batch needs a file")
        self.message_type = "DIGEST" if self.batch and kind == "raw" else _as_aws(kind)
        self.choices: dict[str, Any] = {
            "algorithm": arguments["algorithm"],
            "encoding": arguments["encoding"],
        }
        if arguments.get("deterministic"):
            self.choices["deterministic"] = True
        self.key: Key = session.kms.key(arguments["key_name"])

    def facts(self) -> dict[str, Any]:
        """What the results have in common, for JSON."""
        return {"key": self.key.arn, "algorithm": self._algorithm, "spec": str(self.key.spec)}

    def records(self, name: str, form: Form) -> Any:
        """The digests of a file."""
        from kmsfast.model.message import MessageType, length_of, signing_algorithm

        kind = MessageType(self.message_type)
        algorithm = signing_algorithm(self.key.spec, self.choices["algorithm"], kind)
        return read_records(name, form, length_of(algorithm, kind) or 0)

    def width(self, form: Form) -> int:
        """The length of the key's signatures in a binary file; 0 for text.

        Raises:
            UsageError: they vary.
        """
        from kmsfast.model.message import signature_length

        if form != "binary":
            return 0
        found = signature_length(self.key.spec, raw=self.choices["encoding"] == "raw")
        if found is None:
            raise click.UsageError(
                "DER signatures vary in length; add --encoding raw, or take --batch hex"
            )
        return found

    def sign_one(self, name: str, progress: Progress) -> bytes:
        """The signature of a file or of what it holds."""
        with about(name):
            if self.message_type != "RAW":
                return self.key.sign(read_all(name), message_type=self.message_type, **self.choices)
            with _opened(name, progress) as reader:
                return self.key.sign_stream(reader, **self.choices)

    def verify_one(self, name: str, signature: bytes, progress: Progress) -> None:
        """Passes when it is the signature of a file or of what it holds."""
        with about(name):
            if self.message_type != "RAW":
                self.key.verify(
                    read_all(name), signature, message_type=self.message_type, **self.choices
                )
                return
            with _opened(name, progress) as reader:
                self.key.verify_stream(reader, signature, **self.choices)

    @property
    def _algorithm(self) -> str:
        from kmsfast.model.message import MessageType, signing_algorithm

        chosen: str | None = self.choices["algorithm"]
        return chosen or signing_algorithm(self.key.spec, None, MessageType(self.message_type))


@click.command()
@_shared
@output_option()
@force_option
@click.option("--deterministic", is_flag=True, help="ECDSA nonces by RFC 6979.")
@pass_session
def sign(
    session: Session, /, output: str | None, force: bool, as_json: bool, **arguments: Any
) -> None:
    """Sign a file, each file of a directory, or a file of digests."""
    refuse_mixed(output, as_json=as_json)
    job = _Job(session, arguments)
    if job.batch:
        job.width(job.batch)  # refuses what could not be read again
        made = job.key.sign_batch(
            job.records(job.source, job.batch), message_type=job.message_type,
            threads=job.threads, **job.choices,
        )  # fmt: skip
        if as_json and output is None:
            print_json({**job.facts(), "signatures": [base64_of(each) for each in made]})
            return
        write_records(output, made, job.batch, force=force)
        if as_json:
            print_json({**job.facts(), "signed": len(made)})
        return
    with Progress("bytes") as progress:
        if not job.directory:
            one = job.sign_one(job.source, progress)
            progress.clear()
            result(one, job.facts(), "signature", output=output, force=force, as_json=as_json)
            return
        if output is None:
            raise click.UsageError("a directory needs --output, a directory for its signatures")
        names = list(_files(Path(job.source), Path(output)))
        targets = [Path(output) / f"{name}{_ENDING}" for name in names]
        check_outputs(map(str, targets), force=force)
        made = [job.sign_one(str(Path(job.source) / name), progress) for name in names]
        write_each(zip(targets, made, strict=True), force=force)
    if as_json:
        print_json({**job.facts(), "files": [str(name) for name in names]})
    else:
        click.echo(f"signed {len(names)} files")


@click.command()
@_shared
@click.option(
    "-s", "--signature", "signature_name", required=True, metavar="FILE",
    type=click.Path(readable=False),
    help="Signature, or directory or file of signatures, as sign wrote it.",
)  # fmt: skip
@pass_session
def verify(session: Session, /, signature_name: str, as_json: bool, **arguments: Any) -> None:
    """Verify the signature of a file, of each file of a directory, or of each digest of a file."""
    job = _Job(session, arguments)
    wrong: list[Any]
    if job.batch:
        valid = _verify_batch(job, signature_name, job.batch)
        wrong = [i for i, good in enumerate(valid, 1) if not good]
        done = len(valid)
    elif job.directory:
        done, wrong = _verify_directory(job, Path(signature_name))
    else:
        with Progress("bytes") as progress:
            job.verify_one(job.source, read_one(signature_name), progress)
        done, wrong = 1, []
    if as_json:
        print_json({**job.facts(), "verified": done - len(wrong), "wrong": wrong})
    if wrong:
        raise InvalidSignature(
            f"{len(wrong)} of {done} signatures do not verify; the first is that of "
            f"{f'record {wrong[0]}' if job.batch else wrong[0]}"
        )
    if not as_json:
        click.echo("verified" if done == 1 and not job.batch else f"verified {done} signatures")


def _verify_batch(job: _Job, signature_name: str, form: Form) -> list[bool]:
    digests = job.records(job.source, form)
    signatures = read_records(signature_name, form, job.width(form))
    found: list[bool] = job.key.verify_batch(
        digests, signatures, message_type=job.message_type, threads=job.threads, **job.choices,
    ).tolist()  # fmt: skip
    return found


def _verify_directory(job: _Job, signatures: Path) -> tuple[int, list[str]]:
    """How many files there are or were, and those gone, unsigned or changed.

    Raises:
        ValidationError: there are none.
    """
    wrong = []
    names = list(_files(Path(job.source), signatures))
    gone = _gone(Path(job.source), signatures, names)
    if not names and not gone:
        raise ValidationError(f"{job.source} has no files, so that nothing is verified")
    with Progress("bytes") as progress:
        for name in names:
            try:
                signature = read_one(str(signatures / f"{name}{_ENDING}"))
                job.verify_one(str(Path(job.source) / name), signature, progress)
            except (InvalidSignature, FileNotFoundError):
                wrong.append(str(name))
    return len(names) + len(gone), wrong + gone


def _gone(directory: Path, signatures: Path, names: list[Path]) -> list[str]:
    """The files that have a signature and are there no more.

    In the directory itself such a signature is a file like others, which has none of its own.
    """
    if signatures.resolve() == directory.resolve():
        return []
    known = {f"{name}{_ENDING}" for name in names}
    found = (str(name) for name in _files(signatures, directory))
    return [
        name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING) and name not in known
    ]


def _files(directory: Path, signatures: Path) -> Iterator[Path]:
    """The files below a directory, relative to it, in order; without the signatures, if there."""
    apart = signatures.resolve()
    for root, folders, names in os.walk(directory):
        here = Path(root)
        folders[:] = sorted(name for name in folders if (here / name).resolve() != apart)
        beside = directory.resolve() == apart
        for name in sorted(names):
            if not (beside and name.removesuffix(_ENDING) in {*names} - {name}):
                yield (here / name).relative_to(directory)


@contextmanager
def _opened(name: str, progress: Progress) -> Iterator[BinaryIO]:
    """The bytes of a file or of standard input, counted."""
    source = Input(name, _PLAIN)
    try:
        yield source.reader(progress)
    finally:
        source.close()


def _as_aws(kind: str) -> str:
    return kind.upper().replace("-", "_")

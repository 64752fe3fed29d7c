"""What the programs in this folder share: keys, and how they say what they have shown."""

from collections.abc import Callable
from typing import Any


def show(what: str, *, holds: bool) -> None:
    """Prints ``what``, which the test expects; ends the program when it does not hold."""
    if not holds:
        raise SystemExit(f"not so: {what}")
    print(what)


def refused(what: str, error: type[Exception], call: Callable[[], Any]) -> None:
    """Shows that a call fails with an error of the client's own."""
    try:
        call()
    except error:
        print(what)
        return
    raise SystemExit(f"accepted: {what}")


def new_key(kms: Any, **members: Any) -> str:
    """The ARN of a new key."""
    arn: str = kms.create_key(**members)["KeyMetadata"]["Arn"]
    return arn

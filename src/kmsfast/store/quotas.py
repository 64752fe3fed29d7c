"""What an operator says of quotas: ``quotas.toml``, beside the store or elsewhere."""

from __future__ import annotations

from pathlib import Path

from kmsfast.errors import ValidationError
from kmsfast.model.quotas import AWS, Quotas, quotas_of

__all__ = ["QUOTAS", "load_quotas"]

QUOTAS = "quotas.toml"


def load_quotas(path: Path, *, missing_ok: bool = False) -> Quotas:
    """The quotas of a file: AWS's where it says nothing.

    Args:
        missing_ok: without the file they are AWS's.

    Raises:
        ValidationError: it cannot be read, or says something that cannot be.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if missing_ok:
            return AWS
        raise ValidationError(f"there is no file {str(path)!r}") from error
    except OSError as error:
        raise ValidationError(f"cannot read {str(path)!r}: {error.strerror}") from error
    import tomllib

    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValidationError(f"{str(path)!r} is not TOML: {error}") from error
    return quotas_of(content, str(path))

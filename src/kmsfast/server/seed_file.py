"""Seed files: YAML to keys (docs/seed.md).

Rules:
- only plain data: no tag of YAML makes an object; a key that is twice in a mapping is an error;
- the file is read anew whenever the store is filled, so that no key material stays here between.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.seed import SeedKey, parse_seed

__all__ = ["read_seed"]

_MAX_BYTES: Final = 4 << 20


def read_seed(path: Path, home: Home) -> list[SeedKey]:
    """The keys that a seed file describes.

    Raises:
        ValidationError: the file cannot be read, or is no seed for this region and account.
    """
    return parse_seed(_read(path), home)


def _read(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ValidationError(
            "a seed needs PyYAML, which is not installed: pip install 'kmsfast[http]'"
        ) from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
        """Plain data, and no key twice."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[Hashable] = set()
            for name_node, _ in node.value:
                name = self.construct_object(name_node, deep=True)
                if isinstance(name, Hashable) and name in seen:
                    raise ValidationError(  # without it: it may be a key
                        f"seed {str(path)!r}: a name is twice in one mapping, the second time in "
                        f"line {name_node.start_mark.line + 1}"
                    )
                seen.add(name)
            return dict(super().construct_mapping(node, deep))

    try:
        text = path.read_bytes()
    except OSError as error:
        raise ValidationError(f"seed {str(path)!r}: {error.strerror}") from error
    if len(text) > _MAX_BYTES:
        raise ValidationError(f"seed {str(path)!r}: more than {_MAX_BYTES} bytes")
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "malformed"
        raise ValidationError(f"seed {str(path)!r} is no YAML{where}: {what}") from None
    except ValidationError:
        raise
    except (ValueError, TypeError, RecursionError):  # of a value, which may be a key
        raise ValidationError(
            f"seed {str(path)!r} has a value that is no text, number, date, list or mapping, or "
            "one that is nested too deeply; quote what shall be a text"
        ) from None

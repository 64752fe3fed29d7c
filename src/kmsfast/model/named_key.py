"""What every object that stands for a key does by its ARN."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["NamedKey"]


class NamedKey:
    """A key, in whatever process its material is: equal to another of its type and ARN."""

    __slots__ = ()

    arn: str

    def __repr__(self) -> str:
        return f"<kmsfast key {self.arn}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.arn == self.arn

    def __hash__(self) -> int:
        return hash(self.arn)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Key holds handles or a connection and cannot be pickled or copied; send its id or "
            "ARN, and use Kms.key() where it arrives"
        )

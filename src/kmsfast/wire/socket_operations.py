"""The operations that the socket has by number (docs/socket.md), as a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

__all__ = ["CHUNK", "NUMBERS", "Numbered", "Payload"]

CHUNK: Final = 0
"""In the place of an operation: the frame continues an earlier request's payload."""


class Payload(Enum):
    """The form of a payload."""

    BIN = "bin"
    PAIR = "pair"  # of bins
    NUMBER = "number"
    COLUMN = "column"
    COLUMNS = "columns"  # two of them
    COUNTS = "counts"  # [count, bytes of each]


class Numbered(NamedTuple):
    """An operation by number.

    Attributes:
        name: that AWS has for it, of one record or of each.
        many: of a batch.
        needs_key: whether nil is no key.
        chunked: whether its payload may come in chunks.
    """

    name: str
    payload: Payload
    many: bool = False
    needs_key: bool = True
    chunked: bool = False


_BIN, _PAIR, _NUMBER = Payload.BIN, Payload.PAIR, Payload.NUMBER
_COLUMN, _COLUMNS, _COUNTS = Payload.COLUMN, Payload.COLUMNS, Payload.COUNTS
_WITHOUT: Final = "GenerateDataKeyWithoutPlaintext"

NUMBERS: Final[Mapping[int, Numbered]] = {
    1: Numbered("Encrypt", _BIN, chunked=True),
    2: Numbered("Decrypt", _BIN, needs_key=False, chunked=True),
    3: Numbered("GenerateDataKey", _NUMBER),
    4: Numbered(_WITHOUT, _NUMBER),
    5: Numbered("Sign", _BIN, chunked=True),
    6: Numbered("Verify", _PAIR),
    7: Numbered("GenerateMac", _BIN, chunked=True),
    8: Numbered("VerifyMac", _PAIR),
    9: Numbered("ReEncrypt", _BIN, chunked=True),
    10: Numbered("GenerateRandom", _NUMBER, needs_key=False),
    33: Numbered("Encrypt", _COLUMN, many=True, chunked=True),
    34: Numbered("Decrypt", _COLUMN, many=True, needs_key=False, chunked=True),
    35: Numbered("GenerateDataKey", _COUNTS, many=True),
    36: Numbered(_WITHOUT, _COUNTS, many=True),
    37: Numbered("Sign", _COLUMN, many=True, chunked=True),
    38: Numbered("Verify", _COLUMNS, many=True),
    39: Numbered("GenerateMac", _COLUMN, many=True, chunked=True),
    40: Numbered("VerifyMac", _COLUMNS, many=True),
    41: Numbered("ReEncrypt", _COLUMN, many=True, chunked=True),
    42: Numbered("GenerateRandom", _COUNTS, many=True, needs_key=False),
}

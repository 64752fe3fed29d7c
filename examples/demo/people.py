"""A table of people that looks real enough: names, addresses, numbers of several lengths.

Rules:
- the same seed gives the same table; nobody in it exists (example domains, numbers out of ranges);
- made with numpy and Arrow, column by column, so that a million people take a second or two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PRIVATE", "people"]

#: The columns that nobody should read.
PRIVATE = ("email", "ssn", "iban", "address")

FIRST = [
    "Ada",
    "Ben",
    "Carla",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kofi",
    "Lena",
    "Mei",
    "Noor",
    "Oskar",
    "Priya",
]
LAST = [
    "Abel",
    "Brandt",
    "Costa",
    "Diaz",
    "Ek",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Kaya",
    "Lopez",
    "Moreau",
    "Nowak",
]
STREETS = [
    "Birch Lane",
    "Canal Street",
    "Dock Road",
    "Elm Avenue",
    "Garden Row",
    "Hill Street",
    "Mill Lane",
]
CITIES = [
    "Aarhus",
    "Bergen",
    "Coimbra",
    "Dresden",
    "Ghent",
    "Izmir",
    "Leeds",
    "Malmo",
    "Nantes",
    "Porto",
    "Turin",
    "Utrecht",
]


def people(count: int, seed: int = 1) -> pa.Table:
    """A table of `count` people with id, name, email, ssn, iban, address, city and balance."""
    rng = np.random.default_rng(seed)
    first, last = _some(rng, FIRST, count), _some(rng, LAST, count)
    number = pc.cast(pa.array(np.arange(count)), pa.string())
    return pa.table(
        {
            "id": pa.array(np.arange(count)),
            "name": pc.binary_join_element_wise(first, last, " "),
            "email": _joined(
                pc.utf8_lower(first), ".", pc.utf8_lower(last), number, "@example.com"
            ),
            "ssn": _joined("9", _digits(rng, 2, count), "-00-", _digits(rng, 4, count)),
            "iban": _joined("XX", _digits(rng, 2, count), "KMSF", _digits(rng, 14, count)),
            "address": _joined(_digits(rng, 2, count), " ", _some(rng, STREETS, count)),
            "city": _some(rng, CITIES, count),
            "balance": pa.array(np.round(rng.gamma(2.0, 900.0, count), 2)),
        }
    )


def _some(rng: np.random.Generator, words: list[str], count: int) -> Any:
    return pa.array(words).take(pa.array(rng.integers(0, len(words), count)))


def _digits(rng: np.random.Generator, width: int, count: int) -> Any:
    """Numbers of exactly `width` digits, as text."""
    low = 10 ** (width - 1)
    return pc.cast(pa.array(rng.integers(low, 10 * low, count)), pa.string())


def _joined(*parts: Any) -> Any:
    return pc.binary_join_element_wise(*parts, "")

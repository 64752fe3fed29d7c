"""What AWS KMS takes for keys and requests, and which price a request has.

Source: AWS KMS pricing page; the amounts are in ``local/aws-prices.toml``. Rules:
- amounts are decimal, never binary fractions;
- cryptographic operations and GetPublicKey with a key pair have a price of their own, but for
  RSA_2048 the same amount as others; data key pairs are priced by what is made, whatever the key;
- the free requests are of the standard class alone (page: those with asymmetric keys and for data
  key pairs are excluded from the free tier);
- pairs of ML-DSA and ML-KEM, which the page does not have, are priced as other key pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.keyspec import KeySpec, is_asymmetric
from kmsfast.model.policy_actions import ACTIONS, CRYPTOGRAPHIC

__all__ = ["BILLED", "PriceClass", "Prices", "parsed_prices", "price_class"]


class PriceClass(StrEnum):
    """The prices of requests."""

    STANDARD = "standard"
    RSA_2048 = "rsa_2048"
    ASYMMETRIC = "asymmetric"
    ECC_KEY_PAIR = "ecc_key_pair"
    RSA_KEY_PAIR = "rsa_key_pair"


#: Operations that are requests to AWS KMS.
BILLED: Final = frozenset(ACTIONS) - {"ReEncryptFrom", "ReEncryptTo"} | {"ReEncrypt"}
_OF_PAIRS: Final = CRYPTOGRAPHIC | {"GetPublicKey", "ReEncrypt"}
_MAKING_PAIRS: Final = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")


@dataclass(frozen=True, slots=True)
class Prices:
    """One price list.

    Attributes:
        source: where it is from. date: when that was looked at.
        key_month: of a key. rotation_month: of each of the first ``billed_rotations``.
        requests: the price of ``per`` requests of a class.
        free: standard requests in a month that cost nothing.
    """

    source: str
    date: date
    region: str
    currency: str
    key_month: Decimal
    rotation_month: Decimal
    billed_rotations: int
    per: int
    free: int
    requests: Mapping[PriceClass, Decimal]


def price_class(operation: str, spec: KeySpec | None, pair_spec: str) -> PriceClass:
    """The price of a request.

    Args:
        spec: of its key; None: it has none, or nobody knows it any more.
        pair_spec: of the data key pair that it makes; empty: none.
    """
    if operation in _MAKING_PAIRS:
        of_rsa = pair_spec.startswith("RSA")
        return PriceClass.RSA_KEY_PAIR if of_rsa else PriceClass.ECC_KEY_PAIR
    if spec is None or not is_asymmetric(spec) or operation not in _OF_PAIRS:
        return PriceClass.STANDARD
    return PriceClass.RSA_2048 if spec is KeySpec.RSA_2048 else PriceClass.ASYMMETRIC


def parsed_prices(document: Any) -> Prices:
    """The price list of plain data, such as that of a TOML file.

    Raises:
        ValidationError: something is missing, or is none of a price list.
    """
    keys, requests = _member(document, "keys", dict), _member(document, "requests", dict)
    known = {"per", "free_in_month", *PriceClass}
    for name in requests:
        if name not in known:
            raise ValidationError(
                f"requests.{name} is not known; there are {', '.join(sorted(known))}"
            )
    per = _number(requests, "requests.per")
    if per == 0:
        raise ValidationError("requests.per must be at least 1")
    return Prices(
        source=_member(document, "source", str),
        date=_member(document, "date", date),
        region=_member(document, "region", str),
        currency=_member(document, "currency", str),
        key_month=_amount(keys, "keys.month"),
        rotation_month=_amount(keys, "keys.rotation_month"),
        billed_rotations=_number(keys, "keys.billed_rotations"),
        per=per,
        free=_number(requests, "requests.free_in_month"),
        requests={each: _amount(requests, f"requests.{each}") for each in PriceClass},
    )


def _member(values: Any, path: str, kind: type) -> Any:
    found = values.get(path.rpartition(".")[2]) if isinstance(values, Mapping) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        what = _KINDS[kind]
        raise ValidationError(f"{path} must be {what}, not {'missing' if found is None else found}")
    return found


_KINDS: Final[Mapping[type, str]] = {
    dict: "a table", str: "a text", int: "a number", date: "a date",
}  # fmt: skip


def _number(values: Any, path: str) -> int:
    found: int = _member(values, path, int)
    if found < 0:
        raise ValidationError(f"{path} must not be negative, as {found} is")
    return found


def _amount(values: Any, path: str) -> Decimal:
    text = _member(values, path, str)
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found < 0:
        raise ValidationError(f'{path} must be an amount in a text, such as "0.03", not {text!r}')
    return found

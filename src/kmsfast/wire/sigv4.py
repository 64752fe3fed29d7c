"""AWS Signature Version 4: who signed a request, and whether it is as it was signed.

Sources: IAM User Guide, "AWS Signature Version 4 for API requests" and "Troubleshoot Signature
Version 4 signing"; messages and their order as AWS answers them to services of its JSON protocol,
each with status 400.

Rules:
- the signature stands in the Authorization header or in the query (presigned), not in both; nothing
  that it consists of is given twice, and neither is a header that is signed or has to be;
- signed are host, the date, and every header that begins with ``x-amz-``, the target among them;
- the hash of the body is always computed; ``x-amz-content-sha256``, where it is given, must say the
  same, so that there are no unsigned bodies;
- a signature is good for 5 minutes around its time; a presigned request for as long as it says;
- what is wrong without looking at a key is said first. Then the signature is computed and compared,
  for an unknown access key with a key that nobody has: both answers take the same work;
- what an Authorization header said beside the signature is remembered, for a client says the same
  all day; apart of right and of wrong ones, so that who has no access key pushes nothing out, and
  the work is the same for both;
- no I/O: the keys come from whoever keeps them, the time from the caller.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from kmsfast.crypto.sigv4 import SIGNATURE_LEN, is_signature
from kmsfast.model.signing_key import SERVICE, TERMINATOR, SigningKey
from kmsfast.wire.refusals import (
    IncompleteSignature,
    InvalidCredentialScope,
    MissingAuthenticationToken,
    SignatureMismatch,
    UnrecognizedClient,
)
from kmsfast.wire.sigv4_text import canonical_head, canonical_path, canonical_query, pairs_of

__all__ = ["ALGORITHM", "Signed", "Signer", "Verifier"]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
WINDOW: Final = 300
MAX_EXPIRES: Final = 604_800
_MANY: Final = 64  # signed headers: more than any client has
_NAMES: Final = ("Credential", "Signature", "SignedHeaders")
_HEADER: Final = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=([^\s,=]+) *, *SignedHeaders=([^\s,=]+) *, *"
    rb"Signature=([^\s,=]+)"
)
# The same, up to the signature.
_BEFORE: Final = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=[^\s,=]+ *, *SignedHeaders=[^\s,=]+ *, *Signature="
)
_MOST_FORMS: Final = 1024
_LONGEST_FORM: Final = 1024
_MOST_MOMENTS: Final = 64
_PLAIN: Final = b"/"  # the only target that requests of the API have, unless they are presigned
_WORD: Final = re.compile(r"[A-Z0-9-]{1,24}")
_QUERY: Final = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date",
    "X-Amz-Expires",
)  # fmt: skip
_MOMENT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_BASIC: Final = "%Y%m%dT%H%M%SZ"
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)


SigningKeys = Callable[[str, str, str], SigningKey]
"""The signing key of an access key, a day (YYYYMMDD) and a region."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as the server read it.

    Attributes:
        target: the request target: path and query, escaped as they came.
        headers: names in lower case.
    """

    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)


class Signer(NamedTuple):
    """The access key whose secret signed a request, and the region that it is for."""

    access_key: str
    region: str


class _Form(NamedTuple):
    """What the Authorization headers of one client have in common.

    Attributes:
        scope: day, region, service and terminator.
        signed: names of the signed headers, separated by semicolons.
        names: the same.
    """

    access_key: str
    day: str
    region: str
    scope: str
    signed: bytes
    names: tuple[bytes, ...]
    covered: frozenset[bytes]


class _Claim(NamedTuple):
    """What a request says of its signature.

    Attributes:
        form: when it is known.
    """

    algorithm: str
    credential: str
    signed: bytes
    signature: bytes
    date: str
    expires: int | None
    query: str
    names: tuple[bytes, ...]
    covered: frozenset[bytes]
    form: _Form | None = None


class Verifier:
    """Checks signatures.

    Args:
        regions: that credentials may be scoped to.
        service: likewise.
    """

    def __init__(self, regions: Collection[str], keys: SigningKeys, service: str = SERVICE) -> None:
        self._regions, self._keys, self._service = regions, keys, service
        # By Authorization headers up to the signature, which was right, or wrong.
        self._forms: dict[bytes, _Form] = {}
        self._others: dict[bytes, _Form] = {}

    def check(self, request: Signed, now: float) -> Signer:
        """Who signed the request, and for which region.

        Args:
            now: Unix time.

        Raises:
            MissingAuthenticationToken: there is no signature.
            IncompleteSignature: a part of it is missing or malformed.
            InvalidCredentialScope: for another service or region. SignatureMismatch: too old, does
                not cover what it must, or is not that of the request.
            UnrecognizedClient: nobody has the access key.
        """
        headers, twice = _by_name(request.headers)
        path, _, query = request.target.partition(b"?")
        plain = request.target == _PLAIN and not twice
        claim = (self._known(headers) if plain else None) or _claimed(headers, twice, query)
        _check_moment(claim, now)
        _check_covered(claim, headers, twice)
        if claim.algorithm != ALGORITHM:
            raise IncompleteSignature(
                f"Unsupported AWS 'algorithm': '{claim.algorithm}' (only {ALGORITHM} for now). "
            )
        form = claim.form or self._form(claim)
        head = canonical_head(
            request.method, "/" if plain else canonical_path(path), claim.query, headers,
            form.signed, form.names,
        )  # fmt: skip
        scope = f"{ALGORITHM}\n{claim.date}\n{form.scope}\n".encode()
        key, known = self._keys(form.access_key, form.day, form.region)
        same = is_signature(claim.signature, key, scope, head, request.body)
        right = known & same & _body_as_said(headers, request.body)
        if plain and claim.form is None:
            _keep(self._forms if right else self._others, headers[b"authorization"], form)
        if right:
            return Signer(form.access_key, form.region)
        if not known:
            raise UnrecognizedClient("The security token included in the request is invalid.")
        raise SignatureMismatch(_MISMATCH)

    def _known(self, headers: Mapping[bytes, bytes]) -> _Claim | None:
        """The claim of a header in a form that is known; None: it is read as if none were."""
        authorization = headers.get(b"authorization", b"")
        start = authorization[:-SIGNATURE_LEN]
        form = self._forms.get(start) or self._others.get(start)
        signature = authorization[-SIGNATURE_LEN:]
        if form is None or not signature.isalnum():
            return None
        date = (headers.get(b"x-amz-date") or headers.get(b"date", b"")).decode("latin-1")
        if date[:8] != form.day:
            return None
        return _Claim(
            ALGORITHM, "", form.signed, signature, date, None, "", form.names, form.covered, form
        )

    def _form(self, claim: _Claim) -> _Form:
        access_key, day, region = self._scope(claim)
        scope = claim.credential.partition("/")[2]
        return _Form(access_key, day, region, scope, claim.signed, claim.names, claim.covered)

    def _scope(self, claim: _Claim) -> tuple[str, str, str]:
        """Access key, day and region."""
        parts = claim.credential.split("/")
        if len(parts) != 5:
            raise IncompleteSignature(
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                f"keyid/date/region/service/term, got '{claim.credential}'"
            )
        access_key, day, region, service, terminator = parts
        wrong = []
        if region not in self._regions:
            wrong.append(f"Credential should be scoped to a valid region, not '{region}'. ")
        if service != self._service:
            wrong.append(f"Credential should be scoped to correct service: '{self._service}'. ")
        if terminator != TERMINATOR:
            wrong.append(
                "Credential should be scoped with a valid terminator: "
                f"'{TERMINATOR}', not '{terminator}'. "
            )
        if day != claim.date[:8]:
            wrong.append(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                f"from HTTP: '{day}' != '{claim.date[:8]}', from '{claim.date}'. "
            )
        if wrong:
            raise InvalidCredentialScope("".join(wrong).rstrip())
        return access_key, day, region


def _keep(forms: dict[bytes, _Form], authorization: bytes, form: _Form) -> None:
    start = authorization[:-SIGNATURE_LEN]
    if len(start) <= _LONGEST_FORM and _BEFORE.fullmatch(start):
        if len(forms) >= _MOST_FORMS:
            forms.clear()
        forms[start] = form


# ---- what the request says ----------------------------------------------------------------------


def _by_name(
    headers: Sequence[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], frozenset[bytes]]:
    """Headers by name, and the names that were given twice."""
    found = dict(headers)
    if len(found) == len(headers):
        return found, frozenset()
    names = [name for name, _ in headers]
    return found, frozenset(name for name in found if names.count(name) > 1)


def _claimed(headers: Mapping[bytes, bytes], twice: frozenset[bytes], query: bytes) -> _Claim:
    pairs = pairs_of(query)
    presigned = any(name in {b"X-Amz-Signature", b"X-Amz-Algorithm"} for name, _ in pairs)
    authorization = headers.get(b"authorization")
    if authorization is None:
        if not presigned:
            raise MissingAuthenticationToken("Missing Authentication Token")
        return _of_query(pairs)
    if presigned or b"authorization" in twice:
        raise IncompleteSignature(
            "A request is signed once: in one Authorization header, or in the query string"
        )
    return _of_header(authorization, headers, canonical_query(pairs) if pairs else "")


def _of_header(authorization: bytes, headers: Mapping[bytes, bytes], query: str) -> _Claim:
    moment = headers.get(b"x-amz-date") or headers.get(b"date", b"")
    found = _HEADER.fullmatch(authorization)
    algorithm = ALGORITHM
    if found is not None and moment:
        credential, signed, signature = found.groups()
    else:
        algorithm, members = _members(authorization)
        missing = [f"Authorization header requires '{name}' parameter. "
                   for name in _NAMES if not members.get(name)]  # fmt: skip
        if not moment:
            missing.append(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                "header. "
            )
        if missing:
            shown = algorithm if _WORD.fullmatch(algorithm) else "..."  # likewise
            raise IncompleteSignature(f"{''.join(missing)}Authorization={shown}")
        credential, signed, signature = (
            members[name].encode("latin-1") for name in ("Credential", "SignedHeaders", "Signature")
        )
    return _Claim(
        algorithm, credential.decode("latin-1"), signed, signature, moment.decode("latin-1"), None,
        query, *_names(signed),
    )  # fmt: skip


def _members(authorization: bytes) -> tuple[str, dict[str, str]]:
    """Algorithm and members of a header that is not written as all clients write it."""
    algorithm, _, rest = authorization.decode("latin-1").strip().partition(" ")
    members: dict[str, str] = {}
    for item in rest.split(",") if rest.strip() else ():
        name, sign, value = item.strip().partition("=")
        if not sign:
            shown = item.strip() if algorithm == ALGORITHM else "..."  # it may be a token
            raise IncompleteSignature(
                f"'{shown}' not a valid key=value pair (missing equal-sign) in "
                "Authorization header."
            )
        if name in members:
            raise IncompleteSignature(f"'{name}' occurs twice in Authorization header.")
        members[name] = value
    return algorithm, members


def _of_query(pairs: Sequence[tuple[bytes, bytes]]) -> _Claim:
    given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
    members = dict(given)
    names = [name for name, _ in given]
    missing = [name for name in _QUERY if not members.get(name)]
    if missing:
        said = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
        raise IncompleteSignature(f"{said}Re-examine the query-string parameters.")
    for name in members:
        if name.startswith("X-Amz-") and names.count(name) > 1:
            raise IncompleteSignature(f"The query-string parameter '{name}' occurs twice.")
    rest = [pair for pair in pairs if pair[0] != b"X-Amz-Signature"]
    text = members["X-Amz-Expires"]
    expires = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
    if not 1 <= expires <= MAX_EXPIRES:
        raise IncompleteSignature(
            f"X-Amz-Expires must be between 1 and {MAX_EXPIRES} seconds, not '{text}'"
        )
    signed = members["X-Amz-SignedHeaders"].encode("latin-1")
    return _Claim(
        members["X-Amz-Algorithm"], members["X-Amz-Credential"], signed,
        members["X-Amz-Signature"].encode("latin-1"), members["X-Amz-Date"], expires,
        canonical_query(rest), *_names(signed),
    )  # fmt: skip


def _names(signed: bytes) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    names = tuple(signed.split(b";"))
    return names, frozenset(names)


# ---- what is checked without a key --------------------------------------------------------------


def _check_moment(claim: _Claim, now: float) -> None:
    """The signature's time is at most five minutes away, or not over when it was presigned."""
    said = _unix(claim.date)
    if said is None:
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{claim.date}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        )
    lasting = WINDOW if claim.expires is None else claim.expires
    if said < now - lasting:
        raise SignatureMismatch(
            f"Signature expired: {claim.date} is now earlier than {_basic(now - lasting)} "
            f"({_basic(now)} - {_length(lasting)})"
        )
    if said > now + WINDOW:
        raise SignatureMismatch(
            f"Signature not yet current: {claim.date} is still later than {_basic(now + WINDOW)} "
            f"({_basic(now)} + {_length(WINDOW)})"
        )


def _check_covered(claim: _Claim, headers: Mapping[bytes, bytes], twice: frozenset[bytes]) -> None:
    """Every header that has a meaning here is signed, is there, and is there once."""
    names, signed = claim.names, claim.covered
    if b"host" not in signed:
        raise SignatureMismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    for name in headers:
        if name.startswith(b"x-amz-") and name not in signed:
            raise _unsigned(name)
    if claim.expires is None and b"x-amz-date" not in signed and b"date" not in signed:
        raise _unsigned(b"date")
    if twice and not twice.isdisjoint(signed):
        again = min(twice & signed).decode("latin-1")
        raise SignatureMismatch(f"The signed header '{again}' is given twice.")
    ordered = claim.form is not None or (len(names) <= _MANY and names == tuple(sorted(signed)))
    if not ordered or not signed <= headers.keys():
        raise SignatureMismatch(_MISMATCH)


def _unsigned(name: bytes) -> SignatureMismatch:
    said = "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))
    return SignatureMismatch(f"'{said}' must be a 'SignedHeader' in the AWS Authorization.")


def _body_as_said(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether x-amz-content-sha256, where it is given, is the hash of the body."""
    said = headers.get(b"x-amz-content-sha256")
    return said is None or hmac.compare_digest(said, sha256(body).hexdigest().encode())


@lru_cache(maxsize=_MOST_MOMENTS)
def _unix(text: str) -> float | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _basic(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_BASIC)


def _length(seconds: int) -> str:
    return f"{seconds // 60} min." if seconds % 60 == 0 else f"{seconds} sec."

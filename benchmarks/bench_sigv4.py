"""Verification of Signature Version 4 with a cached signing key, against a limit of time."""

from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import Compare
from rows import Row

from kmsfast.model.signing_key import PREFIX, SigningKey, derived
from kmsfast.wire.sigv4 import Signed, Verifier

CALLS, ROUNDS = 1_000, 60
LIMIT = 60e-6  # seconds for one request
ACCESS_KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BODY = b'{"KeyId":"alias/app","Plaintext":"' + b"A" * 1_366 + b'"}'  # 1 KiB


def test_a_signature_of_botocore(compare: Compare) -> None:
    """An Encrypt of 1 KiB, signed as boto3 signs it."""
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET), "kms", "us-east-1")
    headers = {
        "X-Amz-Target": "TrentService.Encrypt",
        "Content-Type": "application/x-amz-json-1.1",
        "User-Agent": "Boto3/1.44",
        "amz-sdk-invocation-id": "00000000-0000-4000-8000-000000000000",
        "amz-sdk-request": "attempt=1",
    }
    made = AWSRequest("POST", "http://localhost:8080/", headers, BODY)
    signer.add_auth(made)
    scope = made.headers["X-Amz-Date"][:8], "us-east-1"
    found = {
        (ACCESS_KEY, *scope): SigningKey(derived(PREFIX + SECRET.encode(), *scope), known=True)
    }
    verifier = Verifier({"us-east-1"}, lambda *name: found[name])
    lowered = [(str(name).lower().encode(), value.encode()) for name, value in made.headers.items()]
    request = Signed("POST", b"/", [(b"host", b"localhost:8080"), *lowered], BODY)
    now = datetime.now(UTC).timestamp()
    assert verifier.check(request, now) == (ACCESS_KEY, "us-east-1")

    def ours() -> None:
        for _ in range(CALLS):
            verifier.check(request, now)

    row = Row("SigV4 of a request, signing key cached, vs 60 us", 1, unit="runs/s")
    compare(row, ours, lambda: LIMIT * CALLS, units=CALLS, rounds=ROUNDS, own_clock=True)

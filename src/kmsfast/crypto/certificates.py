"""X.509 certificates (RFC 5280) as PEM: their form, and whether two are the same."""

from __future__ import annotations

from kmsfast.errors import IncorrectTrustAnchor

__all__ = ["fingerprint"]


def fingerprint(pem: str) -> bytes:
    """The SHA-256 digest of the first certificate of a PEM text, 32 bytes.

    Raises:
        IncorrectTrustAnchor: there is none.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        return x509.load_pem_x509_certificate(pem.encode("ascii")).fingerprint(SHA256())
    except ValueError as error:  # also text that is not ASCII
        raise IncorrectTrustAnchor(
            "The trust anchor certificate is not an X.509 certificate in PEM: paste the content of "
            "customerCA.crt"
        ) from error

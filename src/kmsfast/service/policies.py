"""Key policies: each key has one, named ``default``, kept exactly as it was given.

Nothing decides by them yet; a key without one answers with the policy that AWS gives to such keys.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from kmsfast.errors import KeyNotFound
from kmsfast.model.arn import Home
from kmsfast.model.key import KeyMetadata, checked_policy
from kmsfast.service.keyring import Keyring

__all__ = ["POLICY_NAME", "Policies"]

POLICY_NAME: Final = "default"


class Policies:
    """Reads and writes the policies of one store's keys."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def get(self, raw_id: bytes, name: str = POLICY_NAME) -> str:
        """The key's policy.

        Raises:
            KeyNotFound: no such key, or another name than the one that there is.
        """
        key = self._ring.key(raw_id)
        _check_name(name)
        return _default(self._ring.store.home) if key.policy is None else key.policy

    def put(self, raw_id: bytes, document: str, name: str = POLICY_NAME) -> KeyMetadata:
        """Another policy; it may be put in any state of the key, as in AWS.

        Raises:
            KeyNotFound: as :meth:`get`. MalformedPolicyDocument, LimitExceeded: see
                :func:`kmsfast.model.key.checked_policy`.
        """
        self._ring.key(raw_id)
        _check_name(name)
        checked = checked_policy(document, self._ring.quotas.key_policy_bytes)
        with self._ring.store.write() as rows:
            key = replace(self._ring.writable(rows, raw_id), policy=checked)
            rows.save(key)
        return key


def _check_name(name: str) -> None:
    if name != POLICY_NAME:
        raise KeyNotFound("No such policy exists")


def _default(home: Home) -> str:
    """The policy of keys that were created without one (Developer Guide, Default key policy)."""
    root = f"arn:{home.partition}:iam::{home.account}:root"
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return json.dumps(policy, indent=2)

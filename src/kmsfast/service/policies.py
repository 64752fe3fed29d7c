"""Key policies: each key has one, named ``default``, kept exactly as it was given.

A key without one answers with the policy that AWS gives to such keys. Who is named in a policy must
exist when it is put (:mod:`kmsfast.model.policy_existence`); who is deleted later may stay in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from kmsfast.errors import KeyNotFound
from kmsfast.model.arn import Home
from kmsfast.model.console_policy import NewKey, console_policy
from kmsfast.model.identities import Identities
from kmsfast.model.key import KeyMetadata, checked_policy
from kmsfast.model.keyspec import checked_origin, checked_spec, checked_usage
from kmsfast.model.policy_document import key_policy
from kmsfast.model.policy_existence import require_known
from kmsfast.model.policy_principal import ACCOUNT
from kmsfast.service.keyring import Keyring
from kmsfast.service.ports import PolicyCheck

__all__ = ["POLICY_NAME", "Policies", "checked_to_put"]

POLICY_NAME: Final = "default"


class Policies:
    """Reads and writes the policies of one store's keys.

    Args:
        checked: a policy that can be put.
        named: the ARN of whom the store knows by a name.
    """

    def __init__(self, ring: Keyring, checked: PolicyCheck, named: Callable[[str], str]) -> None:
        self._ring, self._checked, self._named = ring, checked, named

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
                :func:`checked_to_put`.
        """
        self._ring.key(raw_id)
        _check_name(name)
        checked = self._checked(document)
        with self._ring.store.write() as rows:
            key = replace(self._ring.writable(rows, raw_id), policy=checked)
            rows.save(key)
        return key

    def console(
        self,
        administrators: Sequence[str],
        users: Sequence[str],
        *,
        spec: str,
        usage: str | None,
        origin: str,
        multi_region: bool,
    ) -> str:
        """The policy of a key that is to be made, as the AWS console writes it.

        Args:
            administrators: ARNs, or names of principals that the store knows; users: likewise.

        Raises:
            PrincipalNotFound: a name of nobody.
            ValidationError, UnsupportedOperation: somebody who cannot be an administrator or a
                user of it, or no such kind of key.
        """
        known, home = checked_spec(spec), self._ring.store.home
        kind = checked_usage(known, usage), checked_origin(origin, known)
        key = NewKey(home.account, home.partition, known, *kind, multi_region)
        return console_policy(key, self._arns(administrators), self._arns(users))

    def _arns(self, given: Sequence[str]) -> list[str]:
        texts = [given] if isinstance(given, str) else given
        return [
            text if text.startswith("arn:") or ACCOUNT.fullmatch(text) else self._named(text)
            for text in texts
        ]


def checked_to_put(document: str, known: Callable[[], Identities], most: int) -> str:
    """The policy, when its grammar is right and whom it names exists.

    Args:
        known: reads whom the store knows.
        most: bytes that it may have.

    Raises:
        MalformedPolicyDocument, ValidationError, LimitExceeded: see
            :func:`kmsfast.model.key.checked_policy` and
            :func:`kmsfast.model.policy_existence.require_known`.
    """
    checked = checked_policy(document, most)
    identities = known()
    if checked is not None and identities.known:
        require_known(key_policy(checked), identities)
    return document


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

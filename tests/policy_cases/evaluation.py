"""Key policy and identity policies together: order, delegation, other accounts."""

from __future__ import annotations

from typing import Any

from policy_cases import (
    ACCOUNT,
    ALICE,
    ALLOWED,
    BOB,
    CROSS_ACCOUNT,
    DEFAULT_POLICY,
    DENIED,
    EVALUATION,
    EVE,
    IAM_POLICIES,
    KEY,
    KMS_KEYS,
    NOT_ALLOWED,
    OTHER,
    OTHER_ACCOUNTS,
    OTHER_ROOT,
    PERMISSIONS,
    ROOT,
    SESSION,
    TROUBLESHOOTING,
    Case,
    of_identity,
    statement,
)

FOR_ALICE = statement(Principal={"AWS": ALICE}, Sid="alice")
DELEGATION = statement(Principal={"AWS": ROOT}, Sid="Enable IAM policies")
DENY_ALICE = statement("Deny", Principal={"AWS": ALICE}, Sid="not alice")
MAY = of_identity(Sid="may")
MAY_NOT = of_identity("Deny", Sid="maynot")

SAME_ACCOUNT = [
    Case("nothing says anything: denied", EVALUATION, NOT_ALLOWED, [statement(Action="kms:Sign")]),
    Case("an Allow in the key policy", EVALUATION, ALLOWED, [FOR_ALICE], by=("alice",)),
    Case("a Deny overrides an Allow", EVALUATION, DENIED, [FOR_ALICE, DENY_ALICE],
         by=("not alice",)),
    Case("the order of statements does not matter", EVALUATION, DENIED, [DENY_ALICE, FOR_ALICE],
         by=("not alice",)),
    Case("a Deny for another action", EVALUATION, ALLOWED,
         [FOR_ALICE, {**DENY_ALICE, "Action": "kms:Encrypt"}]),
    Case("a Deny alone allows nothing to others", EVALUATION, NOT_ALLOWED,
         [statement("Deny", Principal={"AWS": BOB})]),
    Case("a Deny whose condition does not hold", EVALUATION, ALLOWED,
         [FOR_ALICE, {**DENY_ALICE, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
         request={"values": {"aws:SecureTransport": "true"}}),
    Case("a Deny whose condition holds", EVALUATION, DENIED,
         [FOR_ALICE, {**DENY_ALICE, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
         request={"values": {"aws:SecureTransport": "false"}}),
    Case("one matching Allow among several", EVALUATION, ALLOWED,
         [statement(Action="kms:Sign"), statement(Principal={"AWS": BOB}), FOR_ALICE],
         by=("alice",)),
    Case("an identity Allow without the key policy's delegation", DEFAULT_POLICY, NOT_ALLOWED,
         [statement(Principal={"AWS": BOB})], [[MAY]]),
    Case("an identity Allow with the key policy's delegation", DEFAULT_POLICY, ALLOWED,
         [DELEGATION], [[MAY]], by=("Enable IAM policies", "may")),
    Case("delegation without an identity Allow", TROUBLESHOOTING, NOT_ALLOWED, [DELEGATION]),
    Case("delegation of some actions only", DEFAULT_POLICY, NOT_ALLOWED,
         [{**DELEGATION, "Action": "kms:Encrypt"}], [[MAY]]),
    Case("identity policies give some of what was delegated", DEFAULT_POLICY, NOT_ALLOWED,
         [DELEGATION], [[of_identity(Action="kms:Encrypt")]]),
    Case("delegation under a condition that holds", DEFAULT_POLICY, ALLOWED,
         [{**DELEGATION, "Condition": {"StringEquals": {"kms:EncryptionContext:a": "b"}}}], [[MAY]],
         request={"context": {"a": "b"}}),
    Case("delegation under a condition that does not hold", DEFAULT_POLICY, NOT_ALLOWED,
         [{**DELEGATION, "Condition": {"StringEquals": {"kms:EncryptionContext:a": "b"}}}], [[MAY]],
         request={"context": {"a": "c"}}),
    Case("an identity Deny where the key policy delegates", DEFAULT_POLICY, DENIED, [DELEGATION],
         [[MAY, MAY_NOT]], by=("maynot",)),
    Case("an identity Deny where the key policy delegates nothing", DEFAULT_POLICY, DENIED,
         [FOR_ALICE], [[MAY_NOT]], by=("maynot",)),
    Case("a key policy that cannot be read allows nothing", EVALUATION, NOT_ALLOWED, None, [[MAY]]),
    Case("a key policy that cannot be read: the root user", EVALUATION, NOT_ALLOWED, None,
         request={"principal": {"arn": ROOT}}),
    Case("a key policy Deny against an identity Allow", EVALUATION, DENIED,
         [DELEGATION, DENY_ALICE], [[MAY]]),
    Case("a key policy Allow needs no identity policy", EVALUATION, ALLOWED, [FOR_ALICE], []),
    Case("an implicit denial of identity policies does not limit it", EVALUATION, ALLOWED,
         [FOR_ALICE], [[of_identity(Action="kms:Sign")]]),
    Case("several identity policies: one Allow is enough", EVALUATION, ALLOWED, [DELEGATION],
         [[of_identity(Action="kms:Sign")], [MAY]], by=("Enable IAM policies", "may")),
    Case("several identity policies: one Deny is enough", EVALUATION, DENIED, [DELEGATION],
         [[MAY], [MAY_NOT]]),
    Case("an identity policy of another service", EVALUATION, NOT_ALLOWED, [DELEGATION],
         [[of_identity(Action="s3:*")]]),
    Case("administrators by *:* are bound by the key policy", DEFAULT_POLICY, NOT_ALLOWED,
         [statement(Principal={"AWS": BOB})], [[of_identity(Action="*")]]),
    Case("administrators by *:* where the key policy delegates", DEFAULT_POLICY, ALLOWED,
         [DELEGATION], [[of_identity(Action="*")]]),
    Case("the root user where the key policy names the account", DEFAULT_POLICY, ALLOWED,
         [DELEGATION], request={"principal": {"arn": ROOT}}),
    Case("the root user where the key policy does not", DEFAULT_POLICY, NOT_ALLOWED, [FOR_ALICE],
         request={"principal": {"arn": ROOT}}),
    Case("the root user is denied like others", EVALUATION, DENIED,
         [DELEGATION, statement("Deny")], request={"principal": {"arn": ROOT}}),
    Case("the root user on no key: its account refuses it nothing", EVALUATION, ALLOWED, None,
         request={"principal": {"arn": ROOT}, "action": "CreateKey", "key": None}),
    Case("a session under delegation", DEFAULT_POLICY, ALLOWED, [DELEGATION], [[MAY]],
         request={"principal": {"arn": SESSION}}),
    Case("an identity Deny for some keys", IAM_POLICIES, DENIED, [FOR_ALICE],
         [[of_identity("Deny", Resource=KEY)]]),
    Case("an identity Deny for other keys", IAM_POLICIES, ALLOWED, [FOR_ALICE],
         [[of_identity("Deny", Resource="arn:aws:kms:*:*:key/other")]]),
    Case("an identity Deny for an alias is not for its key", IAM_POLICIES, ALLOWED, [FOR_ALICE],
         [[of_identity("Deny", Resource="arn:aws:kms:*:*:alias/*")]]),
    Case("an identity Deny on no key", IAM_POLICIES, DENIED, None, [[MAY, MAY_NOT]],
         request={"action": "CreateKey", "key": None}),
    Case("the key policy has no say in operations on no key", PERMISSIONS, NOT_ALLOWED,
         [statement()], request={"action": "ListKeys", "key": None}),
    Case("a Deny unless the algorithm is the right one", KMS_KEYS, DENIED,
         [FOR_ALICE, statement("Deny", Condition={
             "StringNotEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}})]),
]  # fmt: skip


def _foreign(
    want: str, rule: str, key_policy: list[dict[str, Any]], identity: list[dict[str, Any]],
    action: str = "Decrypt", page: str = OTHER_ACCOUNTS, caller: str = EVE,
) -> Case:  # fmt: skip
    return Case(rule, page, want, key_policy, [identity] if identity else [],
                request={"principal": {"arn": caller}, "action": action})  # fmt: skip


FOR_EVE = statement(Principal={"AWS": EVE}, Sid="eve")
FOR_OTHER = statement(Principal={"AWS": OTHER_ROOT}, Sid="other")
CRYPTO = (
    "Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
    "ReEncryptFrom", "ReEncryptTo", "Sign", "Verify", "VerifyMac",
)  # fmt: skip
MORE = ("CreateGrant", "DescribeKey", "GetKeyRotationStatus", "GetPublicKey", "ListGrants",
        "RevokeGrant")  # fmt: skip
LOCAL = (
    "CancelKeyDeletion", "CreateAlias", "DisableKey", "EnableKeyRotation", "GetKeyPolicy",
    "GetParametersForImport", "ImportKeyMaterial", "ListKeyPolicies", "ListResourceTags",
    "PutKeyPolicy", "ReplicateKey", "RotateKeyOnDemand", "ScheduleKeyDeletion", "TagResource",
    "UpdateKeyDescription", "UpdatePrimaryRegion",
)  # fmt: skip

OTHER_ACCOUNT = [
    _foreign(ALLOWED, "both sides allow, by name", [FOR_EVE], [MAY]),
    _foreign(ALLOWED, "both sides allow, by account", [FOR_OTHER], [MAY]),
    _foreign(ALLOWED, "both sides allow, by the account's digits",
             [statement(Principal={"AWS": OTHER})], [MAY]),
    _foreign(ALLOWED, "both sides allow, by *", [statement()], [MAY]),
    _foreign(NOT_ALLOWED, "the key policy alone, by name", [FOR_EVE], []),
    _foreign(NOT_ALLOWED, "the key policy alone, by account", [FOR_OTHER], []),
    _foreign(NOT_ALLOWED, "the key policy alone, by *", [statement()], []),
    _foreign(NOT_ALLOWED, "the identity policy alone", [FOR_ALICE], [MAY]),
    _foreign(NOT_ALLOWED, "the key's own account delegates to its own only", [DELEGATION], [MAY]),
    _foreign(NOT_ALLOWED, "a user that the key policy does not name",
             [statement(Principal={"AWS": EVE + "2"})], [MAY]),
    _foreign(NOT_ALLOWED, "an action that the key policy does not give",
             [{**FOR_OTHER, "Action": "kms:Encrypt"}], [MAY]),
    _foreign(NOT_ALLOWED, "an action that the identity policy does not give", [FOR_OTHER],
             [of_identity(Action="kms:Encrypt")]),
    _foreign(ALLOWED, "the identity policy names the key's ARN", [FOR_OTHER],
             [of_identity(Resource=KEY)]),
    _foreign(NOT_ALLOWED, "the identity policy names keys of its own account", [FOR_OTHER],
             [of_identity(Resource=f"arn:aws:kms:*:{OTHER}:key/*")]),
    _foreign(DENIED, "a Deny of the key policy", [FOR_EVE, statement("Deny")], [MAY],
             page=CROSS_ACCOUNT),
    _foreign(DENIED, "a Deny of the identity policy", [FOR_EVE], [MAY, MAY_NOT],
             page=CROSS_ACCOUNT),
    _foreign(ALLOWED, "the other account's root user needs no identity policy", [FOR_OTHER], [],
             page=CROSS_ACCOUNT, caller=OTHER_ROOT),
    _foreign(NOT_ALLOWED, "a condition on the caller's account",
             [statement(Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}})], [MAY]),
    *(_foreign(ALLOWED, f"{name} works across accounts", [FOR_EVE], [MAY], name, PERMISSIONS)
      for name in (*CRYPTO, *MORE)),
    *(_foreign(NOT_ALLOWED, f"{name} does not work across accounts", [FOR_EVE], [MAY], name,
               PERMISSIONS)
      for name in LOCAL),
]  # fmt: skip

CASES = [*SAME_ACCOUNT, *OTHER_ACCOUNT]

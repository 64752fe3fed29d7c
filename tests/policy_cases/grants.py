"""Grants: use, constraints, tokens, children, retiring."""

from __future__ import annotations

from typing import Any

from policy_cases import (
    ALICE,
    ALLOWED,
    BOB,
    CREATE_GRANT,
    DENIED,
    EVE,
    GRANT_API,
    GRANTS,
    KMS_KEYS,
    MANAGE_GRANT,
    NOT_ALLOWED,
    OTHER_ACCOUNTS,
    OTHER_ROOT,
    RETIRE,
    ROLE,
    ROOT,
    SESSION,
    Case,
    of_identity,
    statement,
)

SERVICE = "dynamodb.us-west-2.amazonaws.com"
SILENT = [statement(Action="kms:PutKeyPolicy")]


def grant(**more: Any) -> dict[str, Any]:
    """Alice may decrypt, but for what is said otherwise."""
    return {"GrantId": "g", "GranteePrincipal": ALICE, "Operations": ["Decrypt"], **more}


def _use(want: str, rule: str, given: dict[str, Any], page: str = GRANTS, **request: Any) -> Case:
    return Case(rule, page, want, SILENT, grants=[given], request=request)


def _constrained(kind: str, pairs: dict[str, str]) -> dict[str, Any]:
    return grant(Constraints={kind: pairs})


EQUALS, SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"
FINANCE = {"Department": "Finance", "Classification": "Public"}
USE = [
    _use(ALLOWED, "a grant allows what the key policy does not mention", grant()),
    _use(NOT_ALLOWED, "an operation that is not in the grant", grant(), action="Encrypt"),
    _use(NOT_ALLOWED, "another grantee", grant(GranteePrincipal=BOB)),
    _use(ALLOWED, "a role as grantee: its sessions", grant(GranteePrincipal=ROLE),
         principal={"arn": SESSION}),
    _use(ALLOWED, "a session as grantee", grant(GranteePrincipal=SESSION),
         principal={"arn": SESSION}),
    _use(NOT_ALLOWED, "another session than the grantee", grant(GranteePrincipal=SESSION),
         principal={"arn": SESSION + "2"}),
    _use(ALLOWED, "a grantee of another account needs no identity policy",
         grant(GranteePrincipal=EVE), OTHER_ACCOUNTS, principal={"arn": EVE}),
    _use(ALLOWED, "a service as grantee", grant(GranteePrincipal=SERVICE), CREATE_GRANT,
         principal={"arn": SERVICE}),
    _use(NOT_ALLOWED, "the grantee of a grant for an account is not everyone in it",
         grant(GranteePrincipal=ROOT)),
    _use(NOT_ALLOWED, "ListGrants is nothing that grants give", grant(), MANAGE_GRANT,
         action="ListGrants"),
    Case("a Deny of the key policy overrides a grant", KMS_KEYS, DENIED,
         [statement("Deny", Principal={"AWS": ALICE})], grants=[grant()]),
    Case("a Deny of an identity policy overrides a grant", KMS_KEYS, DENIED, SILENT,
         [[of_identity("Deny")]], [grant()]),
    Case("an identity policy without delegation changes nothing about a grant", GRANTS, ALLOWED,
         SILENT, [[of_identity(Action="kms:Sign")]], [grant()]),
    Case("one of several grants is enough", GRANTS, ALLOWED, SILENT,
         grants=[grant(Operations=["Encrypt"]), grant(GranteePrincipal=BOB), grant()]),
    Case("what two grants give together, each to another, nobody has", GRANTS, NOT_ALLOWED, SILENT,
         grants=[grant(Operations=["Encrypt"]), grant(GranteePrincipal=BOB)]),
    _use(ALLOWED, "DescribeKey by a grant", grant(Operations=["DescribeKey"]),
         action="DescribeKey"),
    _use(ALLOWED, "ReEncrypt: the source by a grant", grant(Operations=["ReEncryptFrom"]),
         action="ReEncryptFrom"),
    _use(NOT_ALLOWED, "ReEncrypt: the destination is another permission",
         grant(Operations=["ReEncryptFrom"]), action="ReEncryptTo"),
]  # fmt: skip

CONSTRAINTS = [
    _use(ALLOWED, "Subset: exactly its pairs", _constrained(SUBSET, FINANCE), GRANTS,
         context=FINANCE),
    _use(ALLOWED, "Subset: in another order", _constrained(SUBSET, FINANCE), GRANTS,
         context=dict(reversed(FINANCE.items()))),
    _use(ALLOWED, "Subset: and further pairs", _constrained(SUBSET, FINANCE), GRANTS,
         context={"Customer": "12345", **FINANCE, "Purpose": "Test"}),
    _use(NOT_ALLOWED, "Subset: one pair is missing", _constrained(SUBSET, FINANCE), GRANTS,
         context={"Department": "Finance"}),
    _use(NOT_ALLOWED, "Subset: case matters", _constrained(SUBSET, FINANCE), GRANTS,
         context={"department": "finance", "classification": "public"}),
    _use(NOT_ALLOWED, "Subset: one pair is missing, another there", _constrained(SUBSET, FINANCE),
         GRANTS, context={"Classification": "Public", "Customer": "12345"}),
    _use(NOT_ALLOWED, "Subset: no context", _constrained(SUBSET, FINANCE), GRANTS),
    _use(ALLOWED, "Equals: exactly its pairs", _constrained(EQUALS, FINANCE), CREATE_GRANT,
         context=FINANCE),
    _use(ALLOWED, "Equals: in another order", _constrained(EQUALS, FINANCE), CREATE_GRANT,
         context=dict(reversed(FINANCE.items()))),
    _use(NOT_ALLOWED, "Equals: a further pair", _constrained(EQUALS, FINANCE), CREATE_GRANT,
         context={**FINANCE, "Purpose": "Test"}),
    _use(NOT_ALLOWED, "Equals: a missing pair", _constrained(EQUALS, FINANCE), CREATE_GRANT,
         context={"Department": "Finance"}),
    _use(NOT_ALLOWED, "Equals: another value", _constrained(EQUALS, FINANCE), CREATE_GRANT,
         context={**FINANCE, "Classification": "public"}),
    _use(NOT_ALLOWED, "Equals: no context", _constrained(EQUALS, FINANCE), CREATE_GRANT),
    _use(ALLOWED, "constraints are not consulted for DescribeKey",
         {**_constrained(EQUALS, FINANCE), "Operations": ["DescribeKey"]}, GRANT_API,
         action="DescribeKey"),
]  # fmt: skip

BUCKET = "arn:aws:s3:us-west-2:111122223333:bucket"
FOR_BUCKET = {
    "GranteeServicePrincipal": SERVICE,
    "Operations": ["Decrypt", "DescribeKey"],
    "Constraints": {"SourceArn": BUCKET},
}


def _on_behalf(want: str, rule: str, *sources: str, **request: Any) -> Case:
    values = {"values": {"aws:SourceArn": list(sources)}} if sources else {}
    return _use(want, rule, FOR_BUCKET, GRANT_API, principal={"arn": SERVICE}, **values, **request)


SOURCES = [
    _on_behalf(ALLOWED, "SourceArn: on behalf of the resource", BUCKET),
    _on_behalf(NOT_ALLOWED, "SourceArn: on behalf of nothing"),
    _on_behalf(NOT_ALLOWED, "SourceArn: of another resource", BUCKET + "2"),
    _on_behalf(NOT_ALLOWED, "SourceArn: its case matters", BUCKET.replace("bucket", "Bucket")),
    _on_behalf(NOT_ALLOWED, "SourceArn: of several resources", BUCKET, BUCKET + "2"),
    _on_behalf(NOT_ALLOWED, "SourceArn: DescribeKey as well", action="DescribeKey"),
    _on_behalf(ALLOWED, "SourceArn: DescribeKey on behalf of it", BUCKET, action="DescribeKey"),
    _use(ALLOWED, "SourceArn and a pair of the context",
         grant(Constraints={"SourceArn": BUCKET, SUBSET: FINANCE}), GRANT_API, context=FINANCE,
         values={"aws:SourceArn": BUCKET}),
    _use(NOT_ALLOWED, "SourceArn, but not the pair of the context",
         grant(Constraints={"SourceArn": BUCKET, SUBSET: FINANCE}), GRANT_API,
         values={"aws:SourceArn": BUCKET}),
]  # fmt: skip

NEW = grant(Settled=False, GrantToken="token-1")
TOKENS = [
    _use(NOT_ALLOWED, "a new grant without its token", NEW, MANAGE_GRANT),
    _use(ALLOWED, "a new grant with its token", NEW, MANAGE_GRANT, grant_tokens=("x", "token-1")),
    _use(NOT_ALLOWED, "a new grant with another token", NEW, MANAGE_GRANT, grant_tokens=("x",)),
    _use(ALLOWED, "a settled grant needs no token", grant(GrantToken="token-1"), MANAGE_GRANT),
    _use(NOT_ALLOWED, "a token in the hands of another than the grantee",
         {**NEW, "GranteePrincipal": BOB}, GRANTS, grant_tokens=("token-1",)),
    Case("a token of a revoked grant", RETIRE, NOT_ALLOWED, SILENT, grants=[],
         request={"grant_tokens": ("token-1",)}),
]  # fmt: skip

PARENT = grant(
    Operations=["GenerateDataKey", "Decrypt", "CreateGrant"],
    Constraints={SUBSET: {"Department": "IT"}},
)


def _child(want: str, rule: str, child: dict[str, Any], parent: dict[str, Any] = PARENT) -> Case:
    return Case(rule, CREATE_GRANT, want, SILENT, grants=[parent],
                request={"action": "CreateGrant", "grant": child})  # fmt: skip


def _heir(
    kind: str | None, pairs: dict[str, str] | None = None, *operations: str
) -> dict[str, Any]:
    return grant(
        GranteePrincipal=BOB,
        Operations=list(operations or ("Decrypt",)),
        Constraints={} if kind is None else {kind: pairs or {"Department": "IT"}},
    )


STRICT = {**PARENT, "Constraints": {EQUALS: {"Department": "IT"}}}
CHILDREN = [
    _child(ALLOWED, "the same operations and the same constraint",
           _heir(SUBSET, None, "GenerateDataKey", "Decrypt", "CreateGrant")),
    _child(ALLOWED, "fewer operations", _heir(SUBSET)),
    _child(NOT_ALLOWED, "a further operation", _heir(SUBSET, None, "Decrypt", "Encrypt")),
    _child(ALLOWED, "a further pair in Subset", _heir(SUBSET, {"Department": "IT", "a": "b"})),
    _child(NOT_ALLOWED, "a pair less in Subset", _heir(SUBSET, {"a": "b"})),
    _child(NOT_ALLOWED, "no constraint", _heir(None)),
    _child(ALLOWED, "Subset may become Equals", _heir(EQUALS)),
    _child(NOT_ALLOWED, "Subset may not become other Equals", _heir(EQUALS, {"a": "b"})),
    _child(NOT_ALLOWED, "Equals may not become Subset", _heir(SUBSET), STRICT),
    _child(ALLOWED, "Equals stays Equals", _heir(EQUALS), STRICT),
    _child(NOT_ALLOWED, "Equals with a further pair", _heir(EQUALS, {"Department": "IT", "a": "b"}),
           STRICT),
    Case("a child of a grant with SourceArn needs the same", CREATE_GRANT, NOT_ALLOWED, SILENT,
         grants=[{**PARENT, "Constraints": {"SourceArn": BUCKET}}],
         request={"action": "CreateGrant", "grant": grant(GranteePrincipal=BOB),
                  "values": {"aws:SourceArn": BUCKET}}),
    Case("a child of a grant with SourceArn has the same", CREATE_GRANT, ALLOWED, SILENT,
         grants=[{**PARENT, "Constraints": {"SourceArn": BUCKET}}],
         request={"action": "CreateGrant", "values": {"aws:SourceArn": BUCKET},
                  "grant": grant(GranteePrincipal=BOB, Constraints={"SourceArn": BUCKET})}),
    _child(ALLOWED, "a parent without constraint", _heir(None), {**PARENT, "Constraints": {}}),
    _child(NOT_ALLOWED, "a parent without CreateGrant", _heir(SUBSET),
           {**PARENT, "Operations": ["Decrypt"]}),
    _child(NOT_ALLOWED, "a parent of another grantee", _heir(SUBSET),
           {**PARENT, "GranteePrincipal": BOB}),
    Case("a policy's CreateGrant is not bound by a grant", CREATE_GRANT, ALLOWED,
         [statement(Principal={"AWS": ALICE}, Action="kms:CreateGrant")], grants=[PARENT],
         request={"action": "CreateGrant", "grant": _heir(None, None, "Encrypt")}),
]  # fmt: skip


def _retire(
    want: str, rule: str, target: dict[str, Any], key_policy: list[dict[str, Any]] = SILENT,
    identity: list[dict[str, Any]] | None = None, caller: str = ALICE,
) -> Case:  # fmt: skip
    request = {"action": "RetireGrant", "grant": target, "principal": {"arn": caller}}
    return Case(rule, RETIRE, want, key_policy, [identity] if identity else [], [target], request)


FOR_BOB = grant(GranteePrincipal=BOB)
RETIRING = [
    _retire(ALLOWED, "the retiring principal", {**FOR_BOB, "RetiringPrincipal": ALICE}),
    _retire(NOT_ALLOWED, "another retiring principal", {**FOR_BOB, "RetiringPrincipal": BOB}),
    _retire(ALLOWED, "a role as retiring principal: its sessions",
            {**FOR_BOB, "RetiringPrincipal": ROLE}, caller=SESSION),
    _retire(NOT_ALLOWED, "the grantee without RetireGrant", grant()),
    _retire(ALLOWED, "the grantee with RetireGrant", grant(Operations=["Decrypt", "RetireGrant"])),
    _retire(NOT_ALLOWED, "another than the grantee with RetireGrant",
            {**FOR_BOB, "Operations": ["RetireGrant"]}),
    _retire(ALLOWED, "the account of the key: its root user", FOR_BOB, caller=ROOT),
    _retire(ALLOWED, "the account of the key delegates it by an identity policy", FOR_BOB,
            identity=[of_identity(Action="kms:RetireGrant")]),
    _retire(NOT_ALLOWED, "kms:RetireGrant in a key policy gives nothing", FOR_BOB,
            [statement(Principal={"AWS": ALICE}, Action="kms:RetireGrant")]),
    _retire(NOT_ALLOWED, "an identity policy of another account gives nothing", FOR_BOB,
            identity=[of_identity(Action="kms:RetireGrant")], caller=EVE),
    _retire(NOT_ALLOWED, "nor does it where the retiring principal is another",
            {**FOR_BOB, "RetiringPrincipal": BOB},
            identity=[of_identity(Action="kms:RetireGrant")], caller=EVE),
    _retire(NOT_ALLOWED, "another account's root user", FOR_BOB, caller=OTHER_ROOT),
    _retire(ALLOWED, "another account as retiring principal: its root user",
            {**FOR_BOB, "RetiringPrincipal": OTHER_ROOT}, caller=OTHER_ROOT),
    _retire(ALLOWED, "another account as retiring principal delegates it",
            {**FOR_BOB, "RetiringPrincipal": OTHER_ROOT},
            identity=[of_identity(Action="kms:RetireGrant")], caller=EVE),
    _retire(NOT_ALLOWED, "another account as retiring principal, without delegation",
            {**FOR_BOB, "RetiringPrincipal": OTHER_ROOT}, caller=EVE),
    _retire(DENIED, "a Deny for the retiring principal", {**FOR_BOB, "RetiringPrincipal": ALICE},
            [statement("Deny", Principal={"AWS": ALICE}, Action="kms:RetireGrant")]),
    _retire(DENIED, "an identity Deny for the retiring principal",
            {**FOR_BOB, "RetiringPrincipal": ALICE}, identity=[of_identity("Deny")]),
    Case("RevokeGrant is by policy", RETIRE, ALLOWED,
         [statement(Principal={"AWS": ALICE}, Action="kms:RevokeGrant")],
         request={"action": "RevokeGrant"}),
    Case("RevokeGrant is not by being the retiring principal", RETIRE, NOT_ALLOWED, SILENT,
         grants=[{**FOR_BOB, "RetiringPrincipal": ALICE}], request={"action": "RevokeGrant"}),
]  # fmt: skip

CASES = [*USE, *CONSTRAINTS, *SOURCES, *TOKENS, *CHILDREN, *RETIRING]

"""The session: who may do what, and from when on."""

from __future__ import annotations

import pytest
from session_world import ADA, ADA_ARN, ECDSA, HMAC, NOBODY, World, body, refused

from kmsfast.server.session import Session


def test_nobody_may_do_what_no_policy_allows(world: World) -> None:
    ada = world.session(ADA)
    for values in (
        ["ListKeys", {}], ["Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"}],
        [1, "alias/a", None, b"x"], [33, "alias/a", None, [b"x"]], [3, "alias/a", None, 32],
        [5, "alias/s", None, b"x", ECDSA], [37, "alias/s", None, [b"x"], ECDSA],
        [7, "alias/m", None, b"x", HMAC], [39, "alias/m", None, [b"x"], HMAC],
        [35, "alias/a", None, [1, 1]], [36, "alias/a", None, [1, 1]], [10, None, None, 1],
        [42, None, None, [1, 1]], [38, "alias/s", None, [[b"x"], [b"x"]], ECDSA],
        [40, "alias/m", None, [[b"x"], [b"x"]], HMAC],
    ):  # fmt: skip
        code, message = refused(ada, *values)
        assert code == "AccessDeniedException", values
        assert "user/ada is not authorized to perform: kms:" in message


@pytest.mark.parametrize("way", ["single", "batch"])
def test_a_context_decides_where_the_policy_says_so(world: World, way: str) -> None:
    world.allow(
        "kms:*", Condition={"StringEquals": {"kms:EncryptionContext:team": "red"}},
    )  # fmt: skip
    ada = world.session(ADA)
    number, payload = (1, b"x") if way == "single" else (33, [b"x"])
    for _ in range(2):
        assert body(ada, number, "alias/a", {"team": "red"}, payload)
        assert refused(ada, number, "alias/a", {"team": "blue"}, payload)[0] == (
            "AccessDeniedException"
        )


def test_each_key_that_blobs_name_is_asked_for(world: World, admin: Session) -> None:
    first, _ = body(admin, 33, "alias/a", None, [b"a1", b"a2"])
    second, _ = body(admin, 33, "alias/b", None, [b"b1"])
    mixed = [first[0], second[0], first[1]]
    assert body(admin, 34, None, None, mixed) == [[b"a1", b"b1", b"a2"], None]
    world.allow("kms:Decrypt", Resource=world.key.arn)
    ada = world.session(ADA)
    values, errors = body(ada, 34, None, None, mixed)
    assert values == [b"a1", None, b"a2"]
    assert [each[:2] for each in errors] == [[1, "AccessDeniedException"]]
    assert "does not exist in this region, or you are not allowed" in errors[0][3]
    values, errors = body(ada, 34, None, None, second)
    assert (values, errors[0][:2]) == ([None], [0, "AccessDeniedException"])
    values, errors = body(ada, 34, "alias/a", None, mixed)
    assert (values, errors[0][:2]) == ([b"a1", None, b"a2"], [1, "IncorrectKeyException"])
    assert refused(ada, 34, "alias/b", None, mixed)[0] == "AccessDeniedException"


def test_reencryption_needs_both_permissions(world: World, admin: Session) -> None:
    first, _ = body(admin, 33, "alias/a", None, [b"a1"])
    second, _ = body(admin, 33, "alias/b", None, [b"b1"])
    mixed = [*first, *second]
    ada = world.session(ADA)
    for allowed, codes in (
        ([], ["AccessDeniedException"] * 2),
        (["kms:ReEncryptTo"], ["AccessDeniedException"] * 2),
        (["kms:ReEncryptFrom"], ["AccessDeniedException"] * 2),
        (["kms:ReEncrypt*"], []),
    ):
        world.allow("kms:ListKeys", *allowed)
        values, errors = body(ada, 41, "alias/b", None, mixed)
        assert [each[1] for each in errors or []] == codes
        assert (values == [None, None]) == bool(codes)
    world.allow("kms:ReEncryptFrom", Resource=world.key.arn)
    values, errors = body(ada, 41, "alias/b", None, mixed)
    assert len(errors) == 2


def test_a_grant_token_is_taken(world: World) -> None:
    grant = world.key.create_grant(["Encrypt"], grantee_principal=ADA_ARN)
    ada = world.session(ADA)
    assert body(ada, 1, world.key.arn, None, b"x", {"tokens": [grant.grant_token]})
    assert body(ada, 33, world.key.arn, None, [b"x"], {"tokens": [grant.grant_token]})
    assert refused(ada, 34, world.key.arn, None, [b"x"], {"tokens": ["bad"]})[0] in {
        "InvalidGrantTokenException", "AccessDeniedException",
    }  # fmt: skip


CHANGES = {
    "disable": lambda world: world.key.disable(),
    "deletion": lambda world: world.key.schedule_deletion(),
    "policy": lambda world: world.allow("kms:ListKeys"),
    "unmapped": lambda world: world.kms.principals.unmap_uid(ADA),
    "mapped anew": lambda world: world.kms.principals.map_uid(ADA, "administrator"),
    "gone": lambda world: world.kms.principals.delete("ada"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_holds_for_the_next_request(world: World, change: str) -> None:
    world.allow("kms:*")
    ada = world.session(ADA)
    blob = body(ada, 1, "alias/a", None, b"x")
    requests = [
        [1, "alias/a", None, b"x"], [2, None, None, blob], [33, "alias/a", None, [b"x"]],
        ["Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"}], [3, "alias/a", None, 32],
    ]  # fmt: skip
    for values in requests * 3:
        assert body(ada, *values)
    CHANGES[change](world)
    for values in requests * 2:
        assert refused(ada, *values)[0] in {
            "AccessDeniedException", "DisabledException", "KMSInvalidStateException",
        }, values  # fmt: skip


def test_a_revoked_grant_ends_at_once(world: World) -> None:
    grant = world.key.create_grant(["Encrypt"], grantee_principal=ADA_ARN)
    ada = world.session(ADA)
    for _ in range(3):
        assert body(ada, 1, world.key.arn, None, b"x")
    world.key.revoke_grant(grant.grant_id)
    assert refused(ada, 1, world.key.arn, None, b"x")[0] == "AccessDeniedException"


def test_a_rotated_key_encrypts_by_its_new_version(world: World, admin: Session) -> None:
    for _ in range(3):
        body(admin, 1, "alias/a", None, b"x")
    world.key.rotate()
    assert body(admin, 1, "alias/a", None, b"x")[20:24] == b"\0\0\0\2"
    blobs, _ = body(admin, 33, "alias/a", None, [b"x"])
    assert blobs[0][20:24] == b"\0\0\0\2"


def test_without_authentication_whoever_connects_is_the_owner(world: World) -> None:
    world.door.authenticated = False
    session = world.session(NOBODY)
    assert session.visitor.arn == "arn:aws:iam::000000000000:root"
    assert body(session, 1, "alias/a", None, b"x")

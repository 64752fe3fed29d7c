"""What the states of a key allow, and the limits of its periods."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kmsfast.errors import InvalidState, KeyDisabled, KmsError, ValidationError
from kmsfast.model.key import (
    KeyMetadata,
    KeyState,
    RotationStatus,
    checked_description,
    checked_policy,
    checked_rotation_period,
    checked_waiting_period,
    require,
)

KEY = KeyMetadata(
    raw_id=bytes(16),
    arn="arn:x",
    state=KeyState.ENABLED,
    description="",
    multi_region=False,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    current_version=1,
    rotation=RotationStatus(False, None, None),
    deletion_date=None,
    aliases=(),
    tags={},
    policy=None,
)


@pytest.mark.parametrize(
    ("state", "what", "error"),
    [
        (KeyState.ENABLED, "use", None),
        (KeyState.ENABLED, "change", None),
        (KeyState.ENABLED, "cancel", InvalidState),
        (KeyState.DISABLED, "use", KeyDisabled),
        (KeyState.DISABLED, "change", None),
        (KeyState.DISABLED, "cancel", InvalidState),
        (KeyState.PENDING_DELETION, "use", InvalidState),
        (KeyState.PENDING_DELETION, "change", InvalidState),
        (KeyState.PENDING_DELETION, "cancel", None),
    ],
)
def test_what_each_state_allows(state: KeyState, what: str, error: type[KmsError] | None) -> None:
    key = replace(KEY, state=state)
    if error is None:
        require(key, what)
    else:
        with pytest.raises(error, match="arn:x is "):
            require(key, what)


def test_states_are_named_as_in_aws() -> None:
    assert [KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION] == [
        "Enabled",
        "Disabled",
        "PendingDeletion",
    ]


@pytest.mark.parametrize("days", [90, 365, 2560])
def test_rotation_periods(days: int) -> None:
    assert checked_rotation_period(days) == days


@pytest.mark.parametrize("days", [0, 89, 2561, -90, 90.0, "90", True, None])
def test_other_rotation_periods(days: int) -> None:
    with pytest.raises(ValidationError, match="between 90 and 2560"):
        checked_rotation_period(days)


def test_waiting_periods() -> None:
    assert [checked_waiting_period(days) for days in (7, 30)] == [
        timedelta(days=7),
        timedelta(days=30),
    ]
    for days in (0, 6, 31, -7):
        with pytest.raises(ValidationError, match="between 7 and 30"):
            checked_waiting_period(days)


def test_descriptions() -> None:
    assert checked_description("x" * 8192)
    with pytest.raises(ValidationError, match="0 to 8192 characters, not 8193"):
        checked_description("x" * 8193)
    with pytest.raises(ValidationError):
        checked_description(None)  # type: ignore[arg-type]


def test_text_that_is_no_unicode_is_refused() -> None:
    for check in (checked_description, checked_policy):
        with pytest.raises(ValidationError, match="character 1 is a lone surrogate"):
            check("a\ud800")

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.security.capabilities import ACTIONS, Action, Capabilities
from airssys_wasm.security.grants import Grant, Holdings, Permission, Revocation

SEND_ALL = Capabilities(send=["*"])
SEND_A = Capabilities(send=["n/a/*"])
TARGETS = st.lists(st.sampled_from(["*", "n/a/*", "n/b/0"]), max_size=2)
CAPABILITIES = st.builds(
    Capabilities,
    send=TARGETS,
    request=TARGETS,
    storage=st.lists(st.sampled_from(["read", "write"]), max_size=2, unique=True),
)
ENTRIES = st.builds(Grant, CAPABILITIES, st.none() | st.integers(0, 20)) | st.builds(Revocation, CAPABILITIES)


def _holding(*entries: Grant | Revocation) -> Holdings:
    holdings = Holdings()
    for entry in entries:
        holdings = holdings.adding(entry)
    return holdings


def _permitted(holdings: Holdings, action: Action, target: str) -> bool:
    return holdings.permission(action, target) is not None


def _oracle(entries: list[Grant | Revocation], action: Action, target: str, now: float) -> bool:
    """Read the whole history forwards; each entry that names the action overrules those before."""
    permitted = False
    for entry in entries:
        if entry.capabilities.permits(action, target) is None:
            continue
        if isinstance(entry, Revocation):
            permitted = False
        elif not entry.expired(now):
            permitted = True
    return permitted


@given(
    st.lists(ENTRIES, max_size=12),
    st.integers(0, 20),
    st.sampled_from(ACTIONS),
    st.sampled_from(["n/a/0", "n/b/0", "n/ab/0"]),
)
def test_holdings_permit_like_the_naive_oracle(
    entries: list[Grant | Revocation], now: float, action: Action, target: str
) -> None:
    """However many entries were left out or have expired."""
    assert _oracle(entries, action, target, now) == _permitted(_holding(*entries).at(now), action, target)


@given(st.lists(ENTRIES, max_size=12))
def test_no_entry_is_held_twice_or_idle(entries: list[Grant | Revocation]) -> None:
    """A caller that grants and revokes the same for ever does not fill memory."""
    held = _holding(*entries).entries
    assert len(set(held)) == len(held)
    assert not held or isinstance(held[0], Grant)


def test_a_revocation_reaches_into_a_wider_grant() -> None:
    """Nothing that it names is left, and nothing else is taken."""
    held = _holding(Grant(SEND_ALL), Revocation(SEND_A))
    assert (False, True) == (_permitted(held, "send", "n/a/0"), _permitted(held, "send", "n/b/0"))
    assert not _permitted(held, "request", "n/a/0")


def test_revoking_request_leaves_send() -> None:
    """Though send alone would permit request."""
    held = _holding(Grant(SEND_A), Revocation(Capabilities(request=["*"])))
    assert (True, False, True) == tuple(
        _permitted(held, action, "n/a/0") for action in ("send", "request", "broadcast")
    )


def test_a_later_grant_gives_back() -> None:
    """Just what it names; a revocation is no policy."""
    held = _holding(Grant(SEND_ALL), Revocation(SEND_ALL), Grant(SEND_A))
    assert (True, False) == (_permitted(held, "send", "n/a/0"), _permitted(held, "send", "n/b/0"))


def test_a_grant_given_back_for_a_time_does_not_outlive_it() -> None:
    """What was revoked before stays so when the later grant expires."""
    held = _holding(Grant(SEND_ALL), Revocation(SEND_A), Grant(SEND_A, expires_at=5.0))
    assert Permission("grant n/a/*", 5.0) == held.at(5.0).permission("send", "n/a/0")
    assert None is held.at(6.0).permission("send", "n/a/0")


def test_without_anything_expired_holdings_stay_the_same_object() -> None:
    """So that a decision stores nothing."""
    held = _holding(Grant(SEND_ALL, expires_at=5.0))
    assert held is held.at(5.0)
    assert Holdings() == held.at(5.1)


@pytest.mark.parametrize("expires_at", [math.nan, math.inf, -math.inf, True, "10", [10]])
def test_an_expiry_is_a_finite_number(expires_at: Any) -> None:
    """NaN would never come."""
    with pytest.raises(ConfigError, match=r"^expires_at is not a finite number"):
        Grant(SEND_ALL, expires_at)


@pytest.mark.parametrize("capabilities", [None, "*", ["*"], {"send": ["*"]}])
@pytest.mark.parametrize("kind", [Grant, Revocation])
def test_only_capabilities_are_granted_and_revoked(kind: Any, capabilities: Any) -> None:
    """A dict of TOML is not taken for them."""
    with pytest.raises(ConfigError, match=r"^capabilities is .*, not Capabilities"):
        kind(capabilities)


def test_a_restriction_cannot_be_revoked() -> None:
    """It would open a door where a permission was to be taken."""
    with pytest.raises(ConfigError, match=r"^receive_from is a restriction"):
        Revocation(Capabilities(receive_from=["n/a/*"]))

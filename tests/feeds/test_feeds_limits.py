"""Who may connect, and how many."""

from __future__ import annotations

import resource

import pytest

from labbridge.feeds.limits import RESERVED_FILES, Limits, listed, networks


@pytest.mark.parametrize(
    ("peers", "address", "allowed"),
    [
        ((), "192.0.2.1", True),
        (("192.0.2.0/24",), "192.0.2.77", True),
        (("192.0.2.0/24",), "192.0.3.1", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7",), "192.0.2.8", False),
        (("192.0.2.7/24",), "192.0.2.200", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.9", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("2001:db8::/32",), "192.0.2.9", False),
        (("fe80::/10",), "fe80::1%eth0", True),
    ],
)
def test_allow_list(peers: tuple[str, ...], address: str, allowed: bool) -> None:
    assert listed(address, networks(peers)) is allowed


def test_a_wrong_network_is_refused() -> None:
    with pytest.raises(ValueError, match="not-a-network"):
        networks(("not-a-network",))


def test_total_is_what_the_open_file_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, setting, total in ((1024, 5000, 1024 - RESERVED_FILES), (1024, 10, 10), (100, 10, 1), (-1, 7, 7)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert Limits(connections=setting).total() == total

"""A short run of `make soak`."""

from __future__ import annotations

import typing as t

import pytest

from soak import Soak
from soak import WAYS

if t.TYPE_CHECKING:
    from servers.certificates import Certificates


@pytest.mark.parametrize("way", WAYS)
def test_soak(certificates: Certificates, way: str) -> None:
    """F-94, F-107: eight threads share one handler while the server fails at random. Each message
    arrives once, each report is true, and nothing stays open."""
    said = Soak(way, 150, "1", certificates).run()

    assert "150 messages" in said and " 0 troubles" not in said

import pytest

import tiny_audit
from tfinv.auditing import budget


@pytest.fixture
def tiny(monkeypatch):
    """The budget `quick` in seconds."""
    monkeypatch.setitem(budget._BUDGETS, "quick", tiny_audit.TINY)
    return tiny_audit.TINY

import pytest


@pytest.fixture
def marker(tmp_path):
    """A file that malicious code would create."""
    return tmp_path / "ran"

import gc
import os

import pytest

import tfinv  # noqa: F401  first of all, for a quiet start
from tfinv.evaluation.robustness.checks import Effort

gc.set_threshold(
    100_000
)  # what tracing makes stays: looking for garbage in it again and again took a fifth of the time


@pytest.fixture(scope="session")
def full_data():
    """The folder of the full data sets; CI sets the variable, and then nothing here skips."""
    folder = os.environ.get("TFINV_DATA_DIR")
    if not folder:
        pytest.skip("TFINV_DATA_DIR names no folder of the full data sets")
    return folder


@pytest.fixture
def few_checks(monkeypatch):
    """For tests of what `tfinv evaluate` does beside its checks, which are a thousand draws and more."""
    effort = Effort(images=300, steps=5, queries=20, draws=20, minimal_steps=5)
    monkeypatch.setattr("tfinv_cli.common.attacking.THOROUGH", effort)


@pytest.fixture(autouse=True, scope="module")
def collected():
    """Compiled functions refer to themselves: left to Python's own rhythm, those of thousands of tests take ten gigabytes."""
    gc.collect()  # before a module, since after one its last test still holds its fixtures
    gc.freeze()  # what is left, millions of objects of TensorFlow's by the end, need not be looked through again

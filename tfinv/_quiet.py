"""TensorFlow without its start-up chatter, and Keras on TensorFlow, whoever imports them first.

The C++ side logs before its log level can be set (the lines that begin "All log messages before
absl::InitializeLog()"), so no variable silences it: for the length of the import, file descriptor 2 leads nowhere. A failed
import still shows, since Python prints its traceback after the descriptor is back.

TensorFlow takes seconds to import, and much here does not need it. So nothing imports it ahead of time: a finder on
`sys.meta_path` adds to the import itself, whenever it comes, and no module has to be imported before another.
"""

import contextlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr to silence, as under pythonw
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _start_tensorflow(tf: ModuleType) -> None:
    """Looks for devices, which is logged too. A worker of a cluster may compute nothing before it has joined."""
    if "TF_CONFIG" in os.environ:
        tf.config.list_physical_devices()
    else:
        tf.constant(0.0)


def _filter_warnings(_: ModuleType) -> None:
    """Removes TensorFlow's warning of retracing for logits.

    Every classifier's logits are a graph of their own, traced once. TensorFlow counts the traces of a method over all objects,
    and would warn whoever has many classifiers of tracing one over and over.
    """
    import logging

    retraced = re.compile("bound method Predictor.logits of .* triggered tf.function retracing", re.DOTALL)
    logging.getLogger("tensorflow").addFilter(lambda record: not retraced.search(record.getMessage()))


def _check_backend(keras: ModuleType) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"Expected Keras on its TensorFlow backend. Received: {keras.backend.backend()}. "
            "Set KERAS_BACKEND=tensorflow, or remove it from keras.json."
        )


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing by itself: it wraps the execution of the modules that it knows."""

    def __init__(self, steps: dict[str, Callable[[ModuleType], None]]):
        self._steps = steps

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, whose execution ends with the module's step."""
        step = self._steps.get(fullname)
        if step is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_in_silence(module: ModuleType) -> None:
            with _silence():
                execute(module)
                step(module)
            del self._steps[
                fullname
            ]  # not before: a look for the module is no import, and a refused one may be tried again

        spec.loader.exec_module = execute_in_silence  # type: ignore[method-assign]
        return spec


def _tensorflow(tf: ModuleType) -> None:
    _start_tensorflow(tf)
    _filter_warnings(tf)


def install() -> None:
    """Prepares the imports of TensorFlow and Keras, or catches up where they are imported already."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    pending: dict[str, Callable[[ModuleType], None]] = {}
    for name, step, late in (
        ("tensorflow", _tensorflow, _filter_warnings),
        ("keras", _check_backend, _check_backend),
    ):
        if name in sys.modules:
            late(sys.modules[name])
        else:
            pending[name] = step
    if pending:
        sys.meta_path.insert(0, _Finder(pending))

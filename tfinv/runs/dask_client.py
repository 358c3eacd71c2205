"""Connections to Dask: settings of processes on this machine, and a client of a running scheduler."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tfinv import files
from tfinv.errors import UserError, expected, from_flag
from tfinv.version import __version__

if TYPE_CHECKING:
    from distributed import Client


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """Dask logs with tracebacks what the errors say in a line."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.core")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def restored_environment() -> Iterator[None]:
    """Dask sets the variables of its processes in this one, and leaves them there."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes that start in it ignore Ctrl-C, which a terminal sends to all: the command ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def connect(scheduler: str) -> "Client":
    """A client of a running scheduler.

    Raises:
      UserError: there is none.
    """
    from distributed import Client

    address: Any = scheduler
    if "://" not in scheduler:
        with from_flag("--scheduler"):
            content = files.read_json(scheduler)
        address = content.get("address") if isinstance(content, dict) else None
        if not isinstance(address, str):
            raise expected("a Dask scheduler's file", scheduler, "Change --scheduler.")
    try:
        return Client(address)
    except (OSError, TimeoutError, ValueError, TypeError) as error:  # TypeError: tls:// without certificates
        received = f"{type(error).__name__}: {error}".partition(";")[0]
        raise expected(f"a Dask scheduler at {scheduler}", received, "Change --scheduler.") from error


def check_versions(client: "Client") -> None:
    """Refuses workers that would compute something else.

    Raises:
      UserError: a worker has no tfinv, or another version.
    """
    # An error comes back as a value: of a worker that has no tfinv.
    for address, version in client.run(_version, on_error="return").items():
        if version != __version__:
            raise other_version(__version__, version, address)


def other_version(asked: str, received: object, address: str) -> UserError:
    """Returns (does not raise) the error of a worker that would compute something else."""
    return expected(f"workers with tfinv {asked}", f"{received} at {address}", "Install it there.")


def _version() -> str:
    return __version__


def local_settings(workers: int) -> dict[str, Any]:
    """Dask's settings of processes on this machine."""
    threads = str(max(1, _cores() // workers))
    environment = {
        # Importing Keras settles the number of TensorFlow's threads, before any of our code. With one thread between operations,
        # a prediction in NumPy that calls another model waits for itself.
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": str(max(2, int(threads))),
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }
    return {
        "distributed.nanny.pre-spawn-environ": environment,
        # Compiling holds Python's lock for minutes, in which a worker gives no sign of life.
        "distributed.scheduler.worker-ttl": None,
        # A task is hours of work: it waits at the scheduler for the next free worker, and not in the queue of a busy one.
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.default-task-durations": {"_call": "1h"},
    }


def _cores() -> int:
    """Cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Work spread over processes of this machine, each with its part of the cores.

A small network does not keep many cores busy by itself: its steps are too short to be divided. Several at once do.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tfinv.errors import expected

Work = Callable[..., None]

_BROKEN = "If memory ran out, lower --workers; in Python, the script's own work must stand below `if __name__ == '__main__':`."


def spread(
    make: Callable[..., Work],
    arguments: tuple[Any, ...],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    done: Callable[[tuple[Any, ...]], None] = lambda task: None,
) -> None:
    """Calls `make(*arguments)(*task)` for each task, in whatever order and process; what is made is to be left in files.

    The processes end with this one, and when a task fails.

    Args:
      make: called once in each process; a function at the top of its module, since processes find it by name.
      arguments: which can be pickled, as the tasks can.
      tasks: the arguments of each call.
      workers: how many processes; each has its part of this process's cores. Python starts them by importing the script that runs,
        whose own work must stand below `if __name__ == "__main__":`.
      done: is told each task that has ended.

    Raises:
      UserError: a process was killed, as the system does where memory runs out, or could not begin.
      Exception: the first error of a task.
    """
    if not tasks:
        return
    workers = min(workers, len(tasks))
    threads = max(1, _cores() // workers)
    # Not forked: TensorFlow's threads would not come along, and the child would wait for them.
    context = multiprocessing.get_context("spawn")
    with _ended_with_us(), ProcessPoolExecutor(workers, context, _begin, (make, arguments)) as pool:
        with _threads(threads):
            began = {pool.submit(_call, task): task for task in tasks}  # all processes start with the first
        try:
            for future in as_completed(began):
                future.result()
                done(began[future])
        except BrokenProcessPool as error:
            raise expected("processes that live until their work is done", error, _BROKEN) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _ended_with_us() -> Iterator[None]:
    """Ends the processes that were started in it, if it is left by an error."""
    others = multiprocessing.active_children()
    try:
        yield
    finally:
        for process in multiprocessing.active_children():
            if process not in others:
                process.kill()


# What one of the processes works with: how it is made, of what, and once there is a task the work itself.
_HERE: dict[str, Any] = {}


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """How many threads TensorFlow has in the processes that start in it: importing Keras settles that, before any of our code."""
    # With one thread between operations, a prediction in NumPy that calls another model waits for itself.
    threads = {"TF_NUM_INTRAOP_THREADS": str(count), "TF_NUM_INTEROP_THREADS": str(max(2, count))}
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _begin(make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _HERE.update(make=make, arguments=arguments)


def _die_with_parent() -> None:
    """A process left alone would write into the files of a command that was started again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(task: tuple[Any, ...]) -> None:
    if "work" not in _HERE:
        # Not in `_begin`, whose errors don't reach the parent.
        _HERE["work"] = _HERE["make"](*_HERE["arguments"])
    _HERE["work"](*task)

"""Work shared among processes: of this machine, or of the many machines of a Dask cluster.

A small network does not keep many cores busy by itself: its steps are too short to be divided. Several at once do. The tasks
leave their results in files of the workdir, whole or absent, so that it makes no difference who computed them.
"""

import contextlib
import dataclasses
import importlib.util
import logging
import os
import pickle
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from tfinv import paths
from tfinv.errors import expected
from tfinv.runs import dask_client

if TYPE_CHECKING:
    from distributed import Client

Task = tuple[Any, ...]
Worker = Callable[..., None]
Progress = Callable[[str], None]

_KILLED = (
    "If memory ran out, lower --workers; if a library crashed, run that alone; "
    "in Python, the script's own work must stand below `if __name__ == '__main__':`."
)
# A worker that offers this resource takes as many tasks at once as it has of it.
_RESOURCE = "GPU"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Processes that share work.

    Attributes:
      workers: processes of this machine, each with its part of the cores; 1 for this process alone.
      scheduler: address of a running Dask scheduler, such as tcp://host:8786, or its scheduler file, in place of `workers`.
        Its workers must have this version of tfinv, and see the same files under the same paths.

    Raises:
      UserError: neither an address nor a file, or workers beside a scheduler.
    """

    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self):
        if self.workers > 1 and self.scheduler:
            raise expected("--workers or --scheduler", "both", "Leave out --workers.")
        if self.scheduler and "://" not in self.scheduler and not paths.expand(self.scheduler).is_file():
            raise expected(
                "a Dask scheduler's address, such as tcp://host:8786, or its file",
                self.scheduler,
                "Change --scheduler.",
            )

    @property
    def shares(self) -> bool:
        """Whether there is another process than this one."""
        return self.workers > 1 or self.scheduler is not None

    @contextlib.contextmanager
    def client(self, tasks: int, progress: Progress) -> Iterator["Client"]:
        """A connection to the scheduler. Processes of this machine end with it, and with this process.

        Args:
          tasks: how many there will be; no more processes are started.
          progress: is told where to watch the work.
        """
        import dask
        from distributed import Client, LocalCluster

        with dask_client.quiet_logs(), contextlib.ExitStack() as stack:
            if self.scheduler:
                client = stack.enter_context(dask_client.connect(self.scheduler))
                if not client.scheduler_info()["workers"]:
                    progress(f"waiting for workers of {self.scheduler}")
                    client.wait_for_workers(1)
                dask_client.check_versions(client)
            else:
                workers = min(self.workers, tasks)
                stack.enter_context(dask.config.set(dask_client.local_settings(workers)))
                stack.enter_context(dask_client.restored_environment())
                dashboard = "127.0.0.1:0" if importlib.util.find_spec("bokeh") else None
                # Who can reach a scheduler can run code as its owner: other users of this machine must not.
                with dask_client.uninterrupted():
                    local = LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        security=True,
                        memory_limit=0,
                        dashboard_address=dashboard,
                        silence_logs=logging.CRITICAL,
                    )
                client = stack.enter_context(Client(stack.enter_context(local)))
            link = f"; watch them at {client.dashboard_link}" if importlib.util.find_spec("bokeh") else ""
            progress(f"{tasks} tasks for {len(client.scheduler_info()['workers'])} workers{link}")
            yield client


def map_tasks(
    cluster: Cluster,
    make_worker: Callable[..., Worker],
    arguments: tuple[Any, ...],
    tasks: Sequence[Task],
    *,
    folder: str | os.PathLike[str],
    progress: Progress = lambda line: None,
    done: Callable[[Task], None] = lambda task: None,
) -> None:
    """Calls `make_worker(*arguments)(*task)` for each task, in whatever order and process; results are to be left in files.

    A task whose process dies is given to another one, as often as Dask's `allowed-failures` says.

    Args:
      cluster: where.
      make_worker: called once in each process; a function at the top of its module, since processes find it by name.
      arguments: which can be pickled, as the tasks can.
      tasks: the arguments of each call.
      folder: where the tasks leave their results, which each process must see.
      progress: is told where to watch the work.
      done: is told each task that has ended.

    Raises:
      UserError: processes that were started died, as where memory runs out; no scheduler, or it was lost; a worker that has
        another version or does not see the folder.
      Exception: the first error of a task.
    """
    if not tasks:
        return
    from distributed import as_completed

    folder = str(paths.expand(folder).absolute())
    with _translated_errors(), cluster.client(len(tasks), progress) as client:
        futures: dict[Any, Task] = {}
        try:
            payload = _send(client, (make_worker, arguments))
            resources = {_RESOURCE: 1} if _has_resource(client) else None
            token = uuid.uuid4().hex
            for task in tasks:
                # Pickled here, since Dask looks into tuples for tasks and results of its own.
                future = client.submit(
                    _call,
                    token,
                    payload,
                    pickle.dumps(task),
                    folder,
                    os.getcwd(),
                    version=dask_client.__version__,
                    pure=False,
                    resources=resources,
                )
                futures[future] = task
            for future in as_completed(futures):
                with _attributed_death(futures[future]):
                    future.result()
                done(futures[future])
        finally:
            with contextlib.suppress(OSError, TimeoutError, CancelledError):
                client.cancel(list(futures))


def description(task: Task) -> str:
    """Returns what a task works on, for people: its texts and labels, images and seed."""
    texts = [str(getattr(part, "label", part)) for part in task if isinstance(part, str) or hasattr(part, "label")]
    images = [f"images {part.start} to {part.stop - 1}" for part in task if isinstance(part, range)]
    seeds = [f"seed {part}" for part in task if isinstance(part, int)]
    return ", ".join(filter(None, [*texts, *images, *seeds]))


@contextlib.contextmanager
def _attributed_death(task: Task) -> Iterator[None]:
    """An error that says what the processes did when they died."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        received = f"processes that died again and again at {description(task)}"
        raise expected("processes that live until their work is done", received, _KILLED) from error


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Errors of Dask, in the form of every other error."""
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:  # before any task
        received = "processes that died again and again"
        raise expected("processes that live until their work is done", received, _KILLED) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tfinv":
            raise
        raise dask_client.other_version(dask_client.__version__, "none", "one that came later") from error
    except RuntimeError as error:
        if "Nanny failed to start" not in str(error):
            raise
        raise expected("processes that live until their work is done", "some that could not begin", _KILLED) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:
        hint = "Run the command again with the same --workdir to go on."
        raise expected("a scheduler and workers until the work is done", "the scheduler was lost", hint) from error


def _send(client: "Client", value: Any) -> Any:
    """The future of a value in the memory of every worker. Unlike scattered data it survives all of them, for it is computed."""
    import dask
    from distributed import wait

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        future = client.submit(pickle.loads, pickle.dumps(value, protocol=5), pure=False)
    wait(future)
    future.result()
    # Where one worker alone had it, Dask would give that one the tasks.
    client.replicate([future])
    return future


def _has_resource(client: "Client") -> bool:
    workers = client.scheduler_info()["workers"].values()
    return any(worker.get("resources", {}).get(_RESOURCE) for worker in workers)


# The worker function of this process, by the token of its `map_tasks`; of the last one only, for it holds models and images.
_WORKERS: dict[str, Worker] = {}
_LOCK = threading.Lock()


def _call(
    token: str,
    payload: tuple[Callable[..., Worker], tuple[Any, ...]],
    task: bytes,
    folder: str,
    current: str,
    *,
    version: str,
) -> None:
    """Runs one task, in a process of the cluster, which may have joined it after its workers were checked."""
    if version != dask_client.__version__:
        from distributed import get_worker

        raise dask_client.other_version(version, dask_client.__version__, get_worker().address)
    if not os.path.isdir(folder):
        raise expected(
            f"workers that see the files under {folder}", "none there", "Use a --workdir on a shared file system."
        )
    # TensorFlow and Keras have state of their own: a process runs one task at a time, however many threads Dask gives it.
    # Paths of the arguments may be relative to the folder of the command.
    with _LOCK, contextlib.chdir(current if os.path.isdir(current) else os.curdir):
        if token not in _WORKERS:
            _WORKERS.clear()
            make_worker, arguments = payload
            _WORKERS[token] = make_worker(*arguments)
        _WORKERS[token](*pickle.loads(task))

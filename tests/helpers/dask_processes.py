"""A real Dask scheduler and its workers, as processes on loopback."""

import contextlib
import os
import subprocess
import sys
import time

DASK = [sys.executable, "-m", "dask"]


@contextlib.contextmanager
def scheduler(folder, workers=2):
    """Starts them, and kills them at the end. Yields the scheduler's file and the workers' processes."""
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"}
    options = {
        "env": os.environ | threads | {"PYTHONPATH": ":".join(sys.path)},
        "cwd": folder,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    file = folder / "scheduler.json"
    command = [*DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    processes = [subprocess.Popen(command, **options)]
    try:
        wait_for(file.exists)
        command = [*DASK, "worker", "--scheduler-file", file, "--host", "127.0.0.1", "--nthreads", "1"]
        for _ in range(workers):
            processes.append(subprocess.Popen([*command, "--no-dashboard", "--no-nanny"], **options))
        yield file, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for(condition, seconds=240):
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)

"""Wall time of one command whose work several processes share: `python -m benchmarks.workers --workdir=runs/bench-workers`.

AutoAttack of MNIST images: by the workers of a Dask scheduler on this machine, one and two of them with a thread each, and by
`--workers`. Each contestant runs the whole command once a repetition, in turn; their rows must be the same. Prints a table.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tfinv.reporting import Results

_COMMAND = "attack --model=pretrained:mnist-natural --attacks=autoattack --batch_size=32 --save=none"
_DASK = [sys.executable, "-m", "dask"]
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2", "OMP_NUM_THREADS": "1"}
LIMIT = 0.6


@contextlib.contextmanager
def scheduler(folder: pathlib.Path, workers: int) -> Iterator[pathlib.Path]:
    """Starts a scheduler and its workers, and yields the scheduler's file."""
    file = folder / "scheduler.json"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | _ONE_THREAD}
    start = [*_DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    processes = [subprocess.Popen(start, **options)]  # type: ignore[call-overload]
    try:
        while not file.exists():
            time.sleep(0.1)
        join = [*_DASK, "worker", "--scheduler-file", str(file), "--host", "127.0.0.1", "--nthreads", "1"]
        for _ in range(workers):
            processes.append(subprocess.Popen([*join, "--no-dashboard", "--no-nanny"], **options))  # type: ignore[call-overload]
        time.sleep(5)  # until they have joined
        yield file
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(workdir: pathlib.Path, arguments: argparse.Namespace, flag: str) -> float:
    """Wall time of the command."""
    data = [
        f"--dataset={arguments.dataset}",
        f"--limit={arguments.limit}",
        f"--eps={arguments.eps}",
        f"--workdir={workdir}",
        flag,
    ]
    start = time.perf_counter()
    command = [sys.executable, "-m", "tfinv_cli.main", *_COMMAND.split(), *data]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def rows(workdir: pathlib.Path) -> list[dict]:
    """The rows of a run, less what they took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in Results.read(workdir).rows]


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--limit", type=int, default=512)
    parser.add_argument("--eps", type=float, default=0.14)
    parser.add_argument("--repetitions", type=int, default=1)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {}
    for repetition in range(arguments.repetitions):
        reference = None
        for name, flag, workers in (
            ("a Dask cluster of one worker", "--scheduler", 1),
            ("a Dask cluster of two workers", "--scheduler", 2),
            ("`--workers=1`: the command itself, on all cores", "--workers=1", 0),
            ("`--workers=2`", "--workers=2", 0),
        ):
            folder = arguments.workdir / f"{name.strip('`').replace(' ', '-')}-{repetition}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with contextlib.ExitStack() as stack:
                if workers:
                    flag = f"--scheduler={stack.enter_context(scheduler(folder, workers))}"
                times.setdefault(name, []).append(seconds(folder / "run", arguments, flag))
            print(f"{name}: {times[name][-1]:.1f} s", flush=True)
            reference = reference or rows(folder / "run")
            assert rows(folder / "run") == reference, f"{name}: other rows"
    medians = {name: statistics.median(values) for name, values in times.items()}
    first, *others = medians
    print("\n| who attacks | s | of one worker |\n|---|---|---|")
    for name in (first, *others):
        print(f"| {name} | {medians[name]:.0f} | {medians[name] / medians[first]:.2f} |")
    ratio = medians[others[0]] / medians[first]
    print(f"\nTwo workers at most {LIMIT} of one: {'yes' if ratio <= LIMIT else 'no'} ({ratio:.2f}).")


if __name__ == "__main__":
    main()

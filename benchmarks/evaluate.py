"""Time of a whole `tfinv evaluate`: `python -m benchmarks.evaluate --before=BEFORE/.venv/bin --workdir=runs/bench-evaluate`.

200 MNIST images, the default attacks, `pretrained:mnist-natural`; whole processes of two builds in turn, wall time and processor
time, user and system together, as medians. The rows of both must be the same.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from tfinv.reporting import Results

_COMMAND = "evaluate --model=pretrained:mnist-natural --dataset=mnist --limit=200"


def spent(folder: pathlib.Path, workdir: pathlib.Path) -> tuple[float, float]:
    """Wall time and processor time of the command by the `tfinv` of a folder."""
    shutil.rmtree(workdir, ignore_errors=True)
    before, start = os.times(), time.perf_counter()
    command = [str(folder / "tfinv"), *_COMMAND.split(), f"--workdir={workdir}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    return wall, after.children_user - before.children_user + after.children_system - before.children_system


def rows(workdir: pathlib.Path) -> list[dict]:
    """The rows of a run, less what they took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in Results.read(workdir).rows]


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=pathlib.Path, required=True, help="folder of another build's tfinv")
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    builds = {"before": arguments.before, "now": pathlib.Path(sys.executable).parent}
    times: dict[str, list[tuple[float, float]]] = {build: [] for build in builds}
    for _ in range(arguments.repetitions):
        for build, folder in builds.items():
            times[build].append(spent(folder, arguments.workdir / build))
            print(f"{build}: wall {times[build][-1][0]:.1f} s, processor {times[build][-1][1]:.1f} s", flush=True)
        assert rows(arguments.workdir / "before") == rows(arguments.workdir / "now"), "other rows"
    medians = {
        build: [statistics.median(values) for values in zip(*pairs, strict=True)] for build, pairs in times.items()
    }
    print("\n| build | wall, s | of before | processor, s | of before |\n|---|---|---|---|---|")
    for build, (wall, processor) in medians.items():
        first = medians["before"]
        print(f"| {build} | {wall:.1f} | {wall / first[0]:.2f} | {processor:.1f} | {processor / first[1]:.2f} |")


if __name__ == "__main__":
    main()

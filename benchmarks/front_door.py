"""Times of the command line before it does anything: `python -m benchmarks.front_door --output=docs/results/front-door.md`.

Processor time of whole processes, user and system together, as ratios to `python -c pass` and to `python -c 'import tensorflow'`
of the same run. `--before` adds another build, by the folder of its `python` and `tfinv`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

# Each with the seconds beyond those of `python -c pass` that it may take.
COMMANDS = {
    "tfinv --version": 0.15,
    "tfinv --help": 0.15,
    "tfinv attack --help": 0.6,
    "tfinv evaluate --help": 0.6,
    "tfinv invert --help": 0.6,
    "tfinv train --help": 0.6,
    "tfinv reproduce --help": 0.6,
    "tfinv reproduce frontier --help": 0.6,
    "tfinv report --help": 0.6,
    "tfinv evaluate --modle=m.keras": 0.6,
    "tfinv evaluate --attacks=zap": 0.6,
}
_PASS, _TENSORFLOW = "python -c pass", "python -c 'import tensorflow'"


def seconds(command: list[str], folder: pathlib.Path) -> tuple[float, float]:
    """Processor time and wall time of one process."""
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    before = os.times()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return spent, after.elapsed - before.elapsed


def measure(commands: list[str], builds: dict[str, pathlib.Path], repetitions: int) -> dict[tuple[str, str], float]:
    """The median processor time of each command and build, taken in turn, after one uncounted round."""
    times: dict[tuple[str, str], list[float]] = {}
    for repetition in range(repetitions + 1):
        for command in commands:
            for build, folder in builds.items():
                program = [part.strip("'") for part in command.split(" ", 2)]
                program[0] = str(folder / program[0])
                spent, _ = seconds(program if command == _TENSORFLOW else [program[0], *command.split()[1:]], folder)
                if repetition:
                    times.setdefault((command, build), []).append(spent)
    return {key: statistics.median(values) for key, values in times.items()}


def table(medians: dict[tuple[str, str], float], builds: list[str]) -> str:
    """A row a command: seconds, ratios, and whether the newest build is within its limit."""
    titles = [f"{build}, {unit}" for build in builds for unit in ("s", "of pass", "of TensorFlow")]
    lines = [f"| command | {' | '.join(titles)} | at most | |", "|---" * (len(titles) + 3) + "|"]
    for command in (_PASS, _TENSORFLOW, *COMMANDS):
        cells = []
        for build in builds:
            spent = medians[command, build]
            cells += [
                f"{spent:.3f}",
                f"{spent / medians[_PASS, build]:.1f}",
                f"{spent / medians[_TENSORFLOW, build]:.3f}",
            ]
        limit = COMMANDS.get(command)
        last = builds[-1]
        beyond = medians[command, last] - medians[_PASS, last]
        cells += ["", ""] if limit is None else [f"pass + {limit:g} s", "yes" if beyond <= limit else "**no**"]
        lines.append(f"| `{command}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=pathlib.Path, help="folder of another build's python and tfinv")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=pathlib.Path, help="a Markdown file, whose table is replaced")
    arguments = parser.parse_args()
    builds = {"before": arguments.before} if arguments.before else {}
    builds["now"] = pathlib.Path(sys.executable).parent
    medians = measure([_PASS, _TENSORFLOW, *COMMANDS], builds, arguments.repetitions)
    text = table(medians, list(builds))
    print(text)
    if arguments.output:
        page = arguments.output.read_text(encoding="utf-8")
        start, end = "<!-- front door -->\n", "<!-- end -->"
        head, _, rest = page.partition(start)
        arguments.output.write_text(
            head + start + "\n" + text + "\n\n" + end + rest.partition(end)[2], encoding="utf-8"
        )


if __name__ == "__main__":
    main()

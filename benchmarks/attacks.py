"""Speed of the attacks beside Foolbox, ART and CleverHans: `make bench`, or `python -m benchmarks.attacks --workdir=runs/bench`.

Measures one table after another, and writes them to a Markdown page. Trained networks and finished tables stay in the workdir:
a killed run goes on at the next table. `--only` measures the named tables again, and no other. Needs the packages of
benchmarks/requirements.txt; run it on an idle machine.
"""

import argparse
import os
import pathlib
import shlex
import sys
from types import ModuleType

from benchmarks import autoattack, losses, machine, memory, precision, rates, seconds, timing, traces
from benchmarks.nets import Zoo
from benchmarks.settings import FULL, QUICK
from tfinv import files
from tfinv.runs.workdir import Workdir

TABLES: dict[str, ModuleType] = {
    "rates": rates,
    "seconds": seconds,
    "precision": precision,
    "memory": memory,
    "traces": traces,
    "autoattack": autoattack,
    "losses": losses,
}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench")
    parser.add_argument("--output", help="the page; default: attacks.md in the workdir")
    parser.add_argument("--only", nargs="+", choices=TABLES, help="measure these tables, anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", default=os.environ.get("TFINV_DATA_DIR"), help="default: TFINV_DATA_DIR")
    parser.add_argument("--quick", action="store_true", help="tiny tables, to see that all works")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    config = {
        "benchmark": "attacks",
        "seed": arguments.seed,
        "quick": arguments.quick,
        "downloaded": bool(arguments.data_dir),
    }
    workdir = Workdir(arguments.workdir, config)
    zoo = Zoo(workdir, arguments.data_dir, scale, arguments.seed)
    output = pathlib.Path(arguments.output or f"{arguments.workdir}/attacks.md")
    for name in arguments.only or TABLES:
        path = _table_path(workdir, name)
        if path.exists() and not arguments.only:
            print(f"{name}: measured before, {path}", flush=True)
            continue
        print(f"{name}: {TABLES[name].TITLE}", flush=True)
        stamps = {"moment": machine.moment(), "machine": machine.describe()}
        files.write_json(path, {**stamps, "found": TABLES[name].measure(zoo, scale, arguments.seed)})
        files.write_text(output, _page(workdir))
    files.write_text(output, _page(workdir))
    print(f"{output.read_text()}\n{output}")


def _table_path(workdir: Workdir, name: str) -> pathlib.Path:
    return workdir.path / "tables" / f"{name}.json"


def _page(workdir: Workdir) -> str:
    """Returns the page of all tables that have been measured."""
    paths = {name: _table_path(workdir, name) for name in TABLES}
    tables = {name: files.read_json(path) for name, path in paths.items() if path.exists()}
    command = shlex.join(["python", "-m", "benchmarks.attacks", *sys.argv[1:]])
    parts = [
        "# The attacks' speed",
        f"```console\nmake bench\n```\n\nThe last run's own command: `{command}`.",
        "The same trained networks, images, batch size and machine for every contestant, all in one process and float32 unless it "
        "says bfloat16; repetitions are interleaved (A B C A B C ...).",
        *sorted({table["machine"] for table in tables.values()}),
        "## What it must show",
    ]
    claims = [claim for name, table in tables.items() for claim in TABLES[name].claims(table["found"])]
    rows = [[claim, value, "yes" if holds else "**no**"] for claim, value, holds in claims]
    parts.append(timing.table(["claim", "measured", "holds"], rows))
    for name, table in tables.items():
        parts += [f"## {TABLES[name].TITLE}", table["moment"], TABLES[name].markdown(table["found"])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()

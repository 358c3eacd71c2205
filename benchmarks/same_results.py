"""Compares the results of two builds, field by field: `python -m benchmarks.same_results BEFORE AFTER`.

Each argument is a folder of workdirs; those of one name are compared, seconds, environment and the workdir's own path aside.
"""

import argparse
import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any


def fields(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves of a JSON value, each with its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, item in items:
        yield from fields(item, (*path, str(key)))


def read(folder: pathlib.Path) -> dict[tuple[str, ...], Any]:
    """The fields of a workdir's results that a run should repeat."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {
        path: value
        for path, value in fields(results)
        if "seconds" not in path and path[0] != "environment" and path != ("config", "workdir")
    }


def same(old: Any, new: Any) -> bool:
    """Whether two values are equal, or both no number."""
    both = isinstance(old, float) and isinstance(new, float)
    return old == new or (both and math.isnan(old) and math.isnan(new))


def main() -> None:
    """Prints a line for each workdir."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    arguments = parser.parse_args()
    for folder in sorted(path.parent for path in arguments.before.glob("*/results.json")):
        old, new = read(folder), read(arguments.after / folder.name)
        different = [path for path in old.keys() & new.keys() if not same(old[path], new[path])]
        gone, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
        listed = [", ".join(".".join(path) for path in paths[:5]) or "none" for paths in (gone, added)]
        print(f"{folder.name}: {len(old)} fields, {len(different)} different, gone: {listed[0]}, new: {listed[1]}")


if __name__ == "__main__":
    main()

"""Running commands as a user does, in this process or in a subprocess, and reading their results."""

import signal
import subprocess
import sys
import time

import numpy as np

from tfinv.reporting import Results
from tfinv_cli import main


def run(*argv):
    return main.main([str(a) for a in argv])


def process(*argv, module=None, **options):
    command = [sys.executable, "-m", module or "tfinv_cli.main", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def killed(folder, pattern, *argv):
    """Runs a command in a subprocess, kills it with SIGKILL as soon as files match the pattern, and returns those files."""
    command = [sys.executable, "-m", "tfinv_cli.main", *map(str, argv)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not any(folder.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (folder / "results.json").exists()
    matches = list(folder.glob(pattern))
    assert matches
    return matches


def timeless(folder):
    """The rows of a report, without `seconds`."""
    return [{k: v for k, v in r.items() if k != "seconds"} for r in Results.read(folder).rows]


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def one_line(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]

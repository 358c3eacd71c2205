"""Running commands as a user does, in this process or in one of their own, and what they leave."""

import subprocess
import sys

import numpy as np

from tfinv_cli import main


def run(*argv):
    return main.main([str(a) for a in argv])


def process(*argv, module=None, **more):
    command = [sys.executable, "-m", module or "tfinv_cli.main", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, **more)


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def one_line(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]

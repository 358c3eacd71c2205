"""A crash of a library, which ends the process by a signal."""

import signal
import subprocess
import sys


def test_a_crash_says_where_it_was():
    code = "import os, signal, tfinv_cli.main as m; m.main = lambda argv: os.kill(os.getpid(), signal.SIGSEGV); m.run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert "in run" in done.stderr

"""Tasks for processes that find them by name: each leaves a file, fails, dies or waits."""

import os
import pathlib
import signal
import time


def leaves(folder):
    def work(name, ending):
        threads = [os.environ[f"TF_NUM_{kind}OP_THREADS"] for kind in ("INTRA", "INTER")]
        path = pathlib.Path(folder) / name
        attempts = len(path.read_text().splitlines()) if path.exists() else 0
        with path.open("a") as file:
            file.write(" ".join([str(os.getpid()), *threads]) + "\n")
        if ending == "fails":
            raise RuntimeError(f"{name} failed")
        if ending == "dies" or (ending == "dies once" and not attempts):
            os.kill(os.getpid(), signal.SIGKILL)
        if ending == "waits":
            time.sleep(600)

    return work


def cannot(folder):
    raise RuntimeError("made of nothing")

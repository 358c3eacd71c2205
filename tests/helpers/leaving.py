"""Work for processes that find it by name: it leaves files, fails, dies or waits."""

import os
import pathlib
import signal
import time


def leaves(folder):
    def work(name, what):
        threads = [os.environ[f"TF_NUM_{kind}OP_THREADS"] for kind in ("INTRA", "INTER")]
        (pathlib.Path(folder) / name).write_text(" ".join([str(os.getpid()), *threads]))
        if what == "fails":
            raise RuntimeError(f"{name} failed")
        if what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "waits":
            time.sleep(600)

    return work


def cannot(folder):
    raise RuntimeError("made of nothing")

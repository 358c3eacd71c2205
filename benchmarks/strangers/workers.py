"""Processes that take requests one by one: a crash, or a model that takes too long, ends one request and not the survey."""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

_MARK = "@@reply@@"


class Worker:
    """A process of `serve`, started again after each death."""

    def __init__(self, command: list[str], log: pathlib.Path, limit: float):
        self._command, self._log, self._limit = command, log, limit
        self._process: subprocess.Popen | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply; or under "died" how the process ended, or after how many seconds it was ended."""
        if self._process is None or self._process.poll() is not None:
            with self._log.open("a") as log:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
                )
        process = self._process
        process.stdin.write((json.dumps(request) + "\n").encode())  # type: ignore[union-attr]
        end, text = time.monotonic() + self._limit, b""
        while not text.endswith(b"\n") or _MARK.encode() not in text:
            ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.close()
                return {"died": f"took longer than {self._limit:.0f} s"}
            part = os.read(process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
            if not part:
                code = process.wait()
                self.close()
                return {"died": f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"}
            text += part
        return json.loads(text.decode().rpartition(_MARK)[2])

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            with self._process:  # closes its pipes, and waits for it
                pass
        self._process = None


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answers the requests on standard input, one a line, until it ends."""
    for line in sys.stdin:
        print(_MARK + json.dumps(answer(json.loads(line))), flush=True)

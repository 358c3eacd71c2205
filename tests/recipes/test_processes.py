"""Work in processes of their own: it is done once, errors come back, and none is left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from leaving import cannot, leaves
from tfinv.errors import UserError
from tfinv.recipes.processes import spread


def gone(pid, within=20):
    """Whether a process ends in time."""
    for _ in range(within * 10):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        time.sleep(0.1)
    return False


def test_each_task_is_done_once_in_another_process_with_its_part_of_the_cores(tmp_path):
    told, before = [], os.environ.get("TF_NUM_INTRAOP_THREADS")
    spread(leaves, (tmp_path,), [(str(i), "") for i in range(4)], 2, told.append)
    found = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert sorted(found) == ["0", "1", "2", "3"]
    assert sorted(task[0] for task in told) == ["0", "1", "2", "3"]
    assert str(os.getpid()) not in {pid for pid, *_ in found.values()}
    assert {int(threads) for _, threads, _ in found.values()} == {max(1, len(os.sched_getaffinity(0)) // 2)}
    # A prediction in NumPy that calls another model needs a second one.
    assert min(int(between) for *_, between in found.values()) >= 2
    assert not multiprocessing.active_children()
    assert os.environ.get("TF_NUM_INTRAOP_THREADS") == before


@pytest.mark.parametrize(
    ("make", "tasks", "error", "said"),
    [
        (leaves, [("b", "waits"), ("a", "fails")], RuntimeError, "a failed"),
        (leaves, [("a", "dies")], UserError, r"Expected processes that live.*lower --workers"),
        (cannot, [("a", "")], RuntimeError, "made of nothing"),
    ],
    ids=["fails", "dies", "cannot be made"],
)
def test_an_error_comes_back_and_ends_the_others(tmp_path, make, tasks, error, said):
    with pytest.raises(error, match=said):
        spread(make, (tmp_path,), tasks, 2)
    assert all(gone(int(path.read_text().split()[0])) for path in tmp_path.iterdir())


def test_no_process_outlives_a_parent_that_is_killed(tmp_path):
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from leaving import leaves
from tfinv.recipes.processes import spread
if __name__ == "__main__":
    spread(leaves, ({str(tmp_path)!r},), [("a", "waits")], 1)
"""
    (tmp_path / "run.py").write_text(script)
    parent = subprocess.Popen([sys.executable, tmp_path / "run.py"])
    for _ in range(1200):
        if (tmp_path / "a").exists() and (tmp_path / "a").read_text():
            break
        time.sleep(0.1)
    pid = int((tmp_path / "a").read_text().split()[0])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)

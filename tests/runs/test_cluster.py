"""Work in processes of their own: it is done once, errors come back, and none is left behind."""

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import types

import dask
import pytest

from dask_processes import scheduler, wait_for
from leaving import cannot, leaves
from tfinv.errors import UserError
from tfinv.runs import dask_client
from tfinv.runs.cluster import Cluster, description, map_tasks
from tfinv.version import __version__


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


def pids(folder):
    return {int(line.split()[0]) for path in folder.iterdir() for line in path.read_text().splitlines()}


def test_each_task_is_done_once_in_another_process_with_its_part_of_the_cores(tmp_path):
    done, lines, before = [], [], dict(os.environ)
    tasks = [(str(i), "") for i in range(6)]
    map_tasks(Cluster(workers=2), leaves, (tmp_path,), tasks, folder=tmp_path, progress=lines.append, done=done.append)
    runs = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert sorted(runs) == [name for name, _ in tasks]
    assert sorted(done) == tasks
    assert len(pids(tmp_path)) == 2
    assert os.getpid() not in pids(tmp_path)
    assert {int(threads) for _, threads, _ in runs.values()} == {max(1, len(os.sched_getaffinity(0)) // 2)}
    # A prediction in NumPy that calls another model needs a second one.
    assert min(int(between) for *_, between in runs.values()) >= 2
    assert not multiprocessing.active_children()
    assert dict(os.environ) == before
    assert "6 tasks for 2 workers" in lines[0]


@pytest.mark.parametrize(
    ("make", "tasks", "error", "message"),
    [
        (leaves, [("b", "waits"), ("a", "fails")], RuntimeError, "a failed"),
        (
            leaves,
            [("a", "dies")],
            UserError,
            r"Expected processes that live.*died again and again at a, dies.*lower --workers",
        ),
        (cannot, [("a", "")], RuntimeError, "made of nothing"),
    ],
    ids=["fails", "dies", "cannot be made"],
)
def test_an_error_comes_back_and_ends_the_others(tmp_path, make, tasks, error, message):
    with pytest.raises(error, match=message):
        map_tasks(Cluster(workers=2), make, (tmp_path,), tasks, folder=tmp_path)
    assert all(gone(pid) for pid in pids(tmp_path))


def test_a_task_is_described_by_its_texts_labels_images_and_seed():
    assert description((7, range(100, 200), "pgd(steps=40)")) == "pgd(steps=40), images 100 to 199, seed 7"
    assert description((types.SimpleNamespace(label="mid"), 3)) == "mid, seed 3"


def test_an_interrupt_of_the_terminal_ends_all_without_a_traceback(tmp_path):
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from leaving import leaves
from tfinv.runs.cluster import Cluster, map_tasks
if __name__ == "__main__":
    try:
        map_tasks(Cluster(workers=2), leaves, ({str(tmp_path)!r},), [("a", "waits")], folder={str(tmp_path)!r})
    except KeyboardInterrupt:
        sys.exit(130)
"""
    (tmp_path / "run.py").write_text(script)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "run.py"],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background with Ctrl-C ignored, which its processes inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_for(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text())
        os.killpg(parent.pid, signal.SIGINT)
        _, error = parent.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()
    assert (parent.returncode, error) == (130, "")
    assert gone(int((tmp_path / "a").read_text().split()[0]))


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from leaving import leaves
from tfinv.runs.cluster import Cluster, map_tasks
map_tasks(Cluster(workers=2), leaves, ({str(tmp_path)!r},), [("a", "")], folder={str(tmp_path)!r})
"""
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run([sys.executable, tmp_path / "run.py"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "own work must stand below `if __name__ == '__main__':`" in done.stderr.strip().splitlines()[-1]


def test_workers_beside_a_scheduler_are_refused():
    with pytest.raises(UserError, match="--workers or --scheduler"):
        Cluster(workers=2, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize("content", ["{", "{}", ""])
def test_a_file_of_no_scheduler_is_one_line(content, tmp_path):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(UserError, match=r"Expected a .*Change --scheduler"):
        map_tasks(Cluster(scheduler=str(tmp_path / "s.json")), leaves, (tmp_path,), [("a", "")], folder=tmp_path)


def test_no_process_outlives_a_parent_that_is_killed(tmp_path):
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from leaving import leaves
from tfinv.runs.cluster import Cluster, map_tasks
if __name__ == "__main__":
    map_tasks(Cluster(workers=2), leaves, ({str(tmp_path)!r},), [("a", "waits")], folder={str(tmp_path)!r})
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


def test_tasks_of_a_worker_that_dies_go_to_another(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    with scheduler(tmp_path) as (file, _):
        tasks = [("a", "dies once"), *((str(i), "") for i in range(5))]
        map_tasks(Cluster(scheduler=str(file)), leaves, (results,), tasks, folder=results)
    assert sorted(path.name for path in results.iterdir()) == ["0", "1", "2", "3", "4", "a"]
    assert len((results / "a").read_text().splitlines()) == 2  # by the one that died, and by the one that lives


def test_workers_must_see_the_folder_and_have_this_version(tmp_path, monkeypatch):
    with scheduler(tmp_path, workers=1) as (file, _):
        with pytest.raises(UserError, match=r"workers that see the files under .*shared file system"):
            map_tasks(Cluster(scheduler=str(file)), leaves, (tmp_path,), [("a", "")], folder=tmp_path / "nowhere")
        monkeypatch.setattr(dask_client, "__version__", "99")
        with pytest.raises(UserError, match=re.escape("workers with tfinv 99")):
            map_tasks(Cluster(scheduler=str(file)), leaves, (tmp_path,), [("a", "")], folder=tmp_path)


def test_a_worker_that_comes_later_must_have_this_version_too(tmp_path, monkeypatch):
    """Of a check at the start that such a worker hasn't met."""
    monkeypatch.setattr(dask_client, "check_versions", lambda client: None)
    monkeypatch.setattr(dask_client, "__version__", "99")
    with (
        scheduler(tmp_path, workers=1) as (file, _),
        pytest.raises(UserError, match=rf"workers with tfinv 99. Received: {re.escape(__version__)} at tcp://"),
    ):
        map_tasks(Cluster(scheduler=str(file)), leaves, (tmp_path,), [("a", "")], folder=tmp_path)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", "such as tcp://host:8786, or its file. Received: nowhere"),
        ("tcp://127.0.0.1:9", "a Dask scheduler at tcp://127.0.0.1:9"),
        ("what://127.0.0.1:9", "a Dask scheduler at what://"),
    ],
)
def test_a_scheduler_that_is_none_is_one_line(tmp_path, address, message):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(UserError, match=re.escape(message)),
    ):
        map_tasks(Cluster(scheduler=address), leaves, (tmp_path,), [("a", "")], folder=tmp_path)

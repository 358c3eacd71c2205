"""Two replicas that share a batch do what one does with the whole of it: on two devices, and in two real processes."""

import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import shared_batches
from tfinv.catalogue import DISTRIBUTIONS
from tfinv.errors import UserError
from tfinv.training import distribution
from tfinv.training.defences import DEFENCES
from tfinv.training.distribution import check_tf_config, is_chief, strategy
from tfinv_cli import train

SCRIPT = [sys.executable, str(pathlib.Path(__file__).with_name("distributed.py"))]
CLI = [sys.executable, "-m", "tfinv_cli.train"]
AMONG_WORKERS = ("none", "adversarial", "shuffled", "scheduled")
# TensorFlow waits ten seconds for a heartbeat; the rest is for slow machines.
PATIENCE = 240


def cluster(index, *addresses):
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


def workers(*commands):
    """Runs one process a command as the workers of one cluster: (exit code, stdout, stderr) of each."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in commands]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    running = [
        subprocess.Popen(
            list(map(str, command)),
            env=os.environ | threads | {"TF_CONFIG": cluster(i, *addresses)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, command in enumerate(commands)
    ]
    try:
        outputs = [process.communicate(timeout=PATIENCE) for process in running]
    finally:
        for process in running:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(running, outputs, strict=True)]


@functools.cache
def alone(name):
    return shared_batches.weights(shared_batches.train(name, strategy("none"))[0])


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A folder with the weights of each training on two devices of one process."""
    folder = tmp_path_factory.mktemp("mirrored")
    done = subprocess.run(
        [*SCRIPT, str(folder), *shared_batches.TRAININGS], capture_output=True, timeout=PATIENCE, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """The same of two processes, each of which has written its weights."""
    folder = tmp_path_factory.mktemp("workers")
    for code, _, stderr in workers(*[[*SCRIPT, folder, *AMONG_WORKERS]] * 2):
        assert code == 0, stderr
    return folder


@pytest.mark.proof
@pytest.mark.parametrize("name", shared_batches.TRAININGS)
def test_two_devices_train_what_one_does(name, mirrored):
    np.testing.assert_allclose(np.load(mirrored / f"0-{name}.npy"), alone(name), atol=1e-5)


@pytest.mark.proof
@pytest.mark.parametrize("name", AMONG_WORKERS)
def test_two_workers_train_what_one_does(name, two_workers):
    for worker in range(2):
        np.testing.assert_allclose(np.load(two_workers / f"{worker}-{name}.npy"), alone(name), atol=1e-5)


@pytest.mark.proof
def test_only_the_chief_writes(two_workers):
    assert len(list((two_workers / "none" / "tensorboard" / "train").iterdir())) == 1
    assert len(list((two_workers / "none" / "backup").iterdir())) == 1


def test_every_defence_is_held_to_it():
    assert set(DEFENCES) <= set(shared_batches.TRAININGS)


def test_the_trainings_differ():
    # Else equal weights would say little.
    assert not np.allclose(alone("none"), alone("adversarial"), atol=1e-3)


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder that is left when one of two workers is killed in its second epoch, and what the other, the chief, did."""
    folder = tmp_path_factory.mktemp("killed")
    chief, killed = workers([*SCRIPT, folder, "adversarial"], [*SCRIPT, folder, "adversarial:3"])
    assert killed[0] == -9
    return folder, chief


@pytest.mark.proof
def test_a_worker_that_is_killed_ends_the_others(broken_off):
    folder, (code, _, stderr) = broken_off
    assert code not in (0, -9)
    assert "Start all of them again with the same --workdir" in stderr
    assert [p.name for p in (folder / "adversarial" / "backup").iterdir()] == ["epoch-000001"]


@pytest.mark.proof
def test_all_together_go_on_also_after_the_chief_is_killed(broken_off, tmp_path):
    shutil.copytree(broken_off[0], tmp_path, dirs_exist_ok=True)
    chief, other = workers([*SCRIPT, tmp_path, "adversarial:5"], [*SCRIPT, tmp_path, "adversarial"])
    assert chief[0] == -9
    assert other[0] != 0
    assert chief[1].splitlines() == ["epoch 1", "epoch 2"]
    for code, stdout, stderr in workers(*[[*SCRIPT, tmp_path, "adversarial"]] * 2):
        assert code == 0, stderr
        assert stdout.splitlines() == ["epoch 2"]
    for worker in range(2):
        np.testing.assert_allclose(np.load(tmp_path / f"{worker}-adversarial.npy"), alone("adversarial"), atol=1e-5)


@pytest.mark.proof
def test_one_process_goes_on_where_two_were(broken_off, tmp_path):
    shutil.copytree(broken_off[0], tmp_path, dirs_exist_ok=True)
    epochs = []
    seen = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    model, _ = shared_batches.train("adversarial", strategy("none"), workdir=tmp_path / "adversarial", callbacks=[seen])
    assert epochs == [1, 2]
    np.testing.assert_allclose(shared_batches.weights(model), alone("adversarial"), atol=1e-5)


@pytest.mark.proof
def test_workers_that_do_not_share_their_folder_are_told(broken_off, tmp_path):
    shutil.copytree(broken_off[0], tmp_path / "one")
    for code, _, stderr in workers(*[[*SCRIPT, tmp_path / folder, "adversarial"] for folder in ("one", "other")]):
        assert code != 0
        assert "workers that go on from the same backup. Received: backups of epochs 1, 0" in stderr


@pytest.mark.proof
def test_the_command_trains_among_workers(tmp_path):
    """With all that keeps a state of its own: averages of weights and of a batch's moments, half precision, the best epoch."""
    flags = ["--limit=64", "--epochs=2", "--batch_size=32", "--validation=16", f"--workdir={tmp_path}"]
    network = ["--architecture=resnet(depth=8,width=2)", "--ema=.9", "--precision=mixed_bfloat16", "--defense=fast"]
    command = [*CLI, "--dataset=mnist5k", *network, *flags]
    chief, other = workers(*[[*command, "--distribution=multi_worker"]] * 2)
    assert chief[0] == 0, chief[2]
    assert other[0] == 0, other[2]
    assert "Model: " in chief[1]
    assert "Model: " not in other[1]
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert {"test_accuracy", "best_epoch"} <= {row["metric"] for row in rows}
    (path,) = (tmp_path / "models").glob("*.keras")
    assert keras.models.load_model(path).output_shape == (None, 10)
    # Another number of workers goes on in the same folder, where nothing is left to do.
    before = path.stat().st_mtime_ns
    assert train.main([flag for flag in command if flag.startswith("--")]) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.proof
def test_a_cluster_of_one_is_this_machine(tmp_path):
    """As a batch system's script with one node makes it."""
    flags = ["--limit=64", "--epochs=1", "--batch_size=32", f"--workdir={tmp_path}"]
    command = [*CLI, "--dataset=mnist5k", "--architecture=softmax", "--distribution=multi_worker", *flags]
    ((code, _, stderr),) = workers(command)
    assert code == 0, stderr
    assert list((tmp_path / "models").glob("*.keras"))


def test_one_device_is_no_distribution():
    here = strategy("mirrored")
    assert here.num_replicas_in_sync == 1
    np.testing.assert_array_equal(shared_batches.weights(shared_batches.train("none", here)[0]), alone("none"))


def test_the_parts_of_a_batch_are_its_rows():
    data = shared_batches.DATA
    for epoch in range(2):
        batches = list(data.as_tf(32, shuffle=True, seed=5, epoch=epoch, drop_remainder=True))
        for replicas in (range(0, 1), range(1, 4)):
            parts = list(data.parts(32, replicas, 4, seed=5, epoch=epoch).take(len(batches) * len(replicas)))
            for step, (images, labels) in enumerate(batches):
                for place, replica in enumerate(replicas):
                    part_images, part_labels = parts[step * len(replicas) + place]
                    np.testing.assert_array_equal(part_images, images[8 * replica : 8 * replica + 8])
                    np.testing.assert_array_equal(part_labels, labels[8 * replica : 8 * replica + 8])


def test_the_parts_go_on_with_the_next_pass():
    data, epoch = shared_batches.DATA, tf.Variable(3, dtype=tf.int64)
    parts = list(data.parts(32, range(1), 1, seed=5, epoch=epoch).take(4))
    passes = [data.as_tf(32, shuffle=True, seed=5, epoch=e, drop_remainder=True) for e in (3, 4)]
    expected = [batch for batches_of_pass in passes for batch in batches_of_pass]
    for (part_images, _), (images, _) in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part_images, images)


class Three:
    """A strategy of three replicas."""

    num_replicas_in_sync = 3


def test_a_batch_must_be_shared_evenly():
    with pytest.raises(UserError, match=r"3 replicas can share evenly. Received: 32. Change --batch_size"):
        distribution.batches(shared_batches.DATA, Three(), 32, seed=0, epoch=tf.Variable(0))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        cluster(1, "a:1"),
        cluster(-1, "a:1"),
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "chief": ["b:1", "c:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_what_is_no_cluster_is_refused(text):
    with pytest.raises(UserError, match="Set TF_CONFIG as in"):
        check_tf_config(text)


def test_what_is_a_cluster_is_not():
    check_tf_config(cluster(1, "a:1", "b:1"))
    check_tf_config('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": "0"}}')


class Joined:
    """Stand-in of a strategy, with the attributes that `is_chief` reads."""

    def __init__(self, jobs, kind, index):
        spec = tf.train.ClusterSpec(jobs)
        self.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            spec, task_type=kind, task_id=index
        )


@pytest.mark.parametrize(
    ("jobs", "kind", "index", "chief"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0, True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "worker", 0, False),
    ],
)
def test_the_chief_is_one(jobs, kind, index, chief):
    assert is_chief(Joined(jobs, kind, index)) is chief


def test_without_a_cluster_every_process_is_its_own_chief():
    assert is_chief(strategy("none"))


def test_an_unknown_distribution_is_named():
    with pytest.raises(UserError, match=f"among {', '.join(DISTRIBUTIONS)}"):
        strategy("both")


def test_too_late_to_join_is_said(monkeypatch):
    tf.constant(0.0)
    monkeypatch.setenv("TF_CONFIG", cluster(0, "127.0.0.1:1", "127.0.0.1:2"))
    with pytest.raises(UserError, match="before tfinv is imported"):
        strategy("multi_worker")


def test_the_command_needs_a_cluster(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert train.main(["--distribution=multi_worker", f"--workdir={tmp_path / 'w'}"]) == 1
    assert "Expected TF_CONFIG in the environment" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()

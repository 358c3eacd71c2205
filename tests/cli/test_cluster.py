"""Commands whose work a Dask cluster shares: the same results, also where a worker is killed in the middle."""

import subprocess
import sys

import numpy as np
import pytest

from commands import one_line, run, timeless
from dask_processes import scheduler, wait_for
from tfinv.reporting import Results


def line(digits, command, *flags):
    return (command, "--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=24", *flags)


@pytest.mark.proof
def test_a_worker_killed_in_the_middle_changes_no_number(digits, tmp_path):
    flags = ("--batch_size=1", "--eps=.05,.1", "--attacks=noise,apgd(steps=40)")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert run(*line(digits, "attack", *flags), "--workdir", alone) == 0
    with scheduler(tmp_path) as (file, workers):
        command = [sys.executable, "-m", "tfinv_cli.main", *map(str, line(digits, "attack", *flags))]
        process = subprocess.Popen(
            [*command, f"--scheduler={file}", f"--workdir={shared}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # With a chunk of APGD whole, each worker is at another one.
        wait_for(lambda: any(shared.glob("stages/apgd*.npz")))
        workers[0].kill()
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "12 tasks for 2 workers" in output
    assert output.count(" done\n") == 12
    assert timeless(shared) == timeless(alone)
    names = sorted(path.name for path in (alone / "adversarial").iterdir())
    assert sorted(path.name for path in (shared / "adversarial").iterdir()) == names
    for name in names:
        np.testing.assert_array_equal(np.load(shared / "adversarial" / name), np.load(alone / "adversarial" / name))
    assert Results.read(shared).config["scheduler"] == str(file)


@pytest.mark.proof
def test_a_comparison_is_shared_too(tmp_path):
    flags = (
        "--dataset=mnist5k --architecture=mlp(units=8) --train_limit=200 --limit=40 --auxiliary_limit=40 --epochs=1 --seeds=1 "
        "--evaluators=softmax --evaluator_epochs=1 --defenses=none,nls --methods=gradient --steps=3 --most_steps=6 "
        "--decoder_images=0 --samples=1"
    )
    command = ("reproduce", "inversion", *flags.split())
    assert run(*command, "--workdir", tmp_path / "alone") == 0
    with scheduler(tmp_path) as (file, _):
        assert run(*command, f"--scheduler={file}", "--workdir", tmp_path / "shared") == 0
    assert timeless(tmp_path / "shared") == timeless(tmp_path / "alone")


@pytest.mark.parametrize("command", ["attack", "evaluate"])
def test_no_scheduler_is_one_line_before_the_model_is_loaded(command, digits, tmp_path, capsys):
    flags = ("--eps=.1", "--attacks=fgsm", "--scheduler=nowhere", "--workdir", tmp_path)
    assert run(*line(digits, command, *flags)) == 1
    assert "Expected a Dask scheduler's address, such as tcp://host:8786" in one_line(capsys.readouterr().err)

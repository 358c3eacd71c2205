"""Membership attacks in TensorBoard."""

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

import membership_rows
from tfinv.reporting import Results, write_tensorboard


def values(folder, tag):
    """Steps and values of a tag."""
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={event_accumulator.TENSORS: 0})
    events.Reload()
    return [(e.step, tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]


def test_scalars_tables_and_pictures(tmp_path):
    membership_rows.single_scores().write(tmp_path, membership_rows.images())
    rows = membership_rows.attack_rows() + membership_rows.group_rows()
    logdir = write_tensorboard(Results("membership", {}, rows), tmp_path, tmp_path / "tb")
    run = logdir / "model"
    assert sorted(p.name for p in logdir.iterdir()) == ["model", "report"]
    assert values(run, "membership lira/auc") == [(0, np.float32(0.8125))]
    assert values(run, "membership lira/advantage") == [(0, np.float32(0.5))]
    tprs = values(run, "membership lira/tpr")
    assert [step for step, _ in tprs] == [0, 10, 100]
    np.testing.assert_allclose([value for _, value in tprs], [0.004, 0.0067, 0.205], rtol=1e-6)
    for tag in ("membership_roc", "membership_scores", "membership_at_risk"):
        ((step, (width, height, png)),) = values(logdir / "report", tag)
        assert step == 0
        assert tf.io.decode_png(png).shape == (int(height), int(width), 3)
    ((_, text),) = values(logdir / "report", "3 results")
    assert text.item().decode().count("guessing") == 2


def test_several_targets_are_their_mean(tmp_path):
    rows = [membership_rows.row("auc", v, v - 0.1, v + 0.1, target=f"shadow {t}") for t, v in enumerate((0.6, 0.7))]
    run = write_tensorboard(Results("membership", {}, rows), tmp_path, tmp_path / "tb") / "model"
    ((_, value),) = values(run, "membership lira/auc")
    np.testing.assert_allclose(value, 0.65, rtol=1e-6)
    pooled = membership_rows.pooled_row("auc", 0.66, 0.6, 0.7)
    run = write_tensorboard(Results("membership", {}, [*rows, pooled]), tmp_path, tmp_path / "tb") / "model"
    ((_, value),) = values(run, "membership lira/auc")
    np.testing.assert_allclose(value, 0.66, rtol=1e-6)

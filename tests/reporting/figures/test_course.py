import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

import inverted
from tfinv.errors import UserError
from tfinv.reporting import write_tensorboard
from tfinv.reporting.figures import course
from tfinv.reporting.tensorboard import course_log


def _values(folder, tag):
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={event_accumulator.TENSORS: 0})
    events.Reload()
    return [(e.step, tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]


def test_rows_are_means_over_the_reconstructions():
    cost, confidence = np.array([[1.0, 3.0], [np.inf, 2.0]]), np.array([[0.2, 0.4], [1.0, 1.0]])
    first, last = course.course_rows(np.array([0, 10]), cost, confidence, experiment="a", method="m", seed=3)
    assert (first["step"], first["cost"], first["n"], first["seed"]) == (0, 2.0, 2, 3)
    assert first["confidence"] == pytest.approx(0.3)
    # Student's t with one degree of freedom: 0.3 +- 12.706 * 0.1, cut to [0, 1].
    assert first["ci95"] == [0.0, 1.0]
    assert (last["cost"], last["confidence"], last["ci95"]) == (2.0, 1.0, [1.0, 1.0])
    (row,) = course.course_rows(np.array([0]), cost[:1, :1], confidence[:1, :1])
    assert row["ci95"] is None


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"\(k, n\)"):
        course.course_rows(np.arange(2), np.zeros((3, 1)), np.zeros((3, 1)))


def test_the_plot_has_a_line_an_experiment_in_a_pair_of_panels_a_method(inverted_results, tmp_path):
    figure = course.draw_course(inverted_results.rows)
    assert len(figure.axes) == 4
    cost, confidence = figure.axes[:2]
    assert cost.get_title(loc="left") == "miface, convergence"
    assert (cost.get_ylabel(), confidence.get_ylabel(), confidence.get_xscale()) == ("cost", "confidence, %", "symlog")
    assert [len(p.lines) for p in figure.axes] == [3] * 4
    assert len(confidence.collections) == 3  # the bands
    np.testing.assert_array_equal(confidence.lines[0].get_xdata(), inverted.STEPS)
    rows = [r for r in inverted_results.rows if r["kind"] == "course" and r["step"] == 1000]
    mean = np.mean([r["confidence"] for r in rows if (r["experiment"], r["method"]) == ("none", "miface")])
    assert confidence.lines[0].get_ydata()[-1] == pytest.approx(100 * mean)
    assert course.course_plot(inverted_results.rows, tmp_path / "c.png").stat().st_size > 10_000


def test_few_steps_have_a_plain_axis_and_many_experiments_lines_of_their_own():
    rows = [
        {"kind": "course", "experiment": f"e{i}", "method": "m", "step": s, "cost": None, "confidence": 0.1, "seed": 0}
        for i in range(9)
        for s in (0, 5)
    ]
    cost, confidence = course.draw_course(rows).axes
    assert confidence.get_xscale() == "linear"
    assert len({(line.get_color(), line.get_linestyle()) for line in confidence.lines}) == 9
    assert all(len(line.get_xdata()) == 0 for line in cost.lines)  # no cost was finite


def test_nothing_to_draw_is_refused():
    with pytest.raises(UserError, match="kind 'course'"):
        course.draw_course([])


def test_scalars_are_means_over_the_seeds(inverted_results, workdir):
    logdir = write_tensorboard(inverted_results, workdir, workdir / "tb")
    scalars = _values(logdir / "reversal", "course miface (convergence)/confidence")
    assert [step for step, _ in scalars] == inverted.STEPS.tolist()
    rows = [r for r in inverted_results.rows if r["kind"] == "course" and r["step"] == 1000]
    mean = np.mean([r["confidence"] for r in rows if (r["experiment"], r["method"]) == ("reversal", "miface")])
    assert scalars[-1][1] == pytest.approx(mean)
    assert len(_values(logdir / "none", "course brep (10,000 queries)/cost")) == len(inverted.STEPS)


def test_images_over_the_steps_outlast_the_report_and_are_replaced(inverted_results, workdir):
    images = np.linspace(0, 1, 2 * 3 * 48 * 64, dtype=np.float32).reshape(2, 3, 48, 64, 1)
    for _ in range(2):
        course_log.write_course_images(workdir / "tb", np.array([0, 7]), images, run="none", tag="miface")
        write_tensorboard(inverted_results, workdir, workdir / "tb")
    pictures = _values(workdir / "tb" / "none", "miface")
    assert [step for step, _ in pictures] == [0, 7]
    pixels = tf.io.decode_png(pictures[1][1][2]).numpy()
    # Enlarged twice, with an edge of two pixels.
    assert pixels.shape == (100, 3 * 132, 1)
    np.testing.assert_array_equal(pixels[2:98:2, 2:130:2], np.round(255 * images[1, 0]).astype(np.uint8))


@pytest.mark.parametrize(("steps", "shape"), [(2, (3, 1, 8, 8, 1)), (1, (1, 8, 8, 1)), (0, (0, 1, 8, 8, 1))])
def test_images_that_do_not_fit_the_steps_are_refused(tmp_path, steps, shape):
    with pytest.raises(UserError, match=r"images of shape \(k, m, H, W, C\)"):
        course_log.write_course_images(tmp_path, np.arange(steps), np.zeros(shape, np.float32), run="r", tag="t")

"""Functions of other runtimes as functions of tensors: sizes of batches, rounding, scores."""

import importlib
import os
import threading

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.importing.deployed import black_box
from tfinv.importing.deployed.black_box import Output


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(1, 256, [1]), (100, 256, [64, 32, 4]), (300, 128, [128, 128, 32, 8, 4]), (5, 1, [1] * 5), (0, 8, [])],
)
def test_sizes_are_few_powers_of_two(count, most, sizes):
    assert list(black_box.powers(count, most)) == sizes


@pytest.mark.parametrize(("shape", "most"), [((28, 28, 1), 256), ((224, 224, 3), 16), ((4000, 4000, 3), 1)])
def test_large_images_go_in_small_batches(shape, most):
    assert black_box.most_at_once(shape) == most


def test_images_are_rounded_halves_away_from_zero_and_clipped():
    x = np.array([-3.0, -0.5, 0.49, 0.5, 1.5, 254.5, 300.0], np.float32)
    np.testing.assert_array_equal(black_box.as_integers(x, np.uint8), [0, 0, 0, 1, 2, 255, 255])
    x = np.array([-1.0, 0.0, 0.25, 0.75, 63.0, 70.0], np.float32)
    np.testing.assert_array_equal(
        black_box.as_integers(x, np.int8, scale=0.5, zero_point=-3), [-5, -3, -2, -1, 123, 127]
    )


def double(x):
    return [2 * x]


def test_a_batch_of_one_size_is_filled_up():
    sizes = []

    def run(x):
        sizes.append(len(x))
        return double(x)

    x = np.arange(7, dtype=np.float32)
    np.testing.assert_array_equal(black_box.in_batches_of(3, x, run)[0], 2 * x)
    assert sizes == [3, 3, 3]


@pytest.mark.parametrize(
    ("many", "same"),
    [
        (double, True),
        (lambda x: [2 * x[::-1]], False),  # mixes the images
        (lambda x: [2 * x + x.mean() * 0.01], False),
        (lambda x: [2 * x[:1]], False),
        (lambda x: [1 / 0], False),
    ],
)
def test_predicting_together_has_to_be_the_same(many, same):
    assert black_box.takes_batches(many, double, (None, 2)) == same


def test_scores_of_a_quantised_softmax_sum_to_one_and_others_stay():
    softmax = Output("p", (3,), ("dequantize", "softmax"), levels=256)
    rows = np.array([[0.5, 0.25, 0.24], [0.0, 0.0, 0.0]], np.float32)
    expected = np.array([[0.5, 0.25, 0.24], [0, 0, 0]], np.float32) / [[0.99], [1]]
    np.testing.assert_allclose(softmax.scores(rows), expected, rtol=1e-6)
    assert softmax.notes == ("probabilities of 256 levels: differences below one are lost, and ties are common",)
    real = Output("p", (1, 1, 3), ("reshape", "softmax"))
    np.testing.assert_array_equal(real.scores(rows.reshape(2, 1, 1, 3)), rows)
    assert (real.scores_shape, real.notes) == ((3,), ())
    features = Output("f", (2, 1, 3))
    assert (features.scores(np.zeros((5, 2, 1, 3))).shape, features.scores_shape) == ((5, 2, 1, 3), (2, 1, 3))


def test_a_sigmoid_a_class_becomes_log_odds():
    p = np.array([[0.25, 0.5, 1.0, 0.0]], np.float32)
    scores = Output("p", (4,), ("dequantize", "logistic"), levels=256).scores(p)
    np.testing.assert_allclose(scores, [[-np.log(3), 0, np.log(511), -np.log(511)]], rtol=1e-5)
    exact = Output("p", (4,), ("logistic",))
    assert exact.notes == ("a sigmoid a class: its log-odds are the logits",)
    z = np.array([[-40.0, -3.0, 3.0, 10.0]])
    np.testing.assert_allclose(exact.scores(1 / (1 + np.exp(-z))), z, rtol=1e-3)
    assert np.isfinite(exact.scores(p)).all()
    one = Output("p", (1,), ("logistic",))
    np.testing.assert_array_equal(one.scores(p[:, :1]), p[:, :1])  # a binary model's, which `heads` reads


def test_a_function_of_tensors_has_outputs_by_name_and_takes_none_and_any_number():
    outputs = [Output("a", (2,)), Output("b", (1, 1, 2))]
    call = black_box.tensor_function(lambda x: [2 * x, x.reshape(-1, 1, 1, 2)], outputs)
    compiled = tf.function(call, input_signature=[tf.TensorSpec((None, 2), tf.float32)])
    for function in (call, compiled):
        for count in (0, 1, 3):
            x = tf.ones((count, 2))
            results = function(x)
            np.testing.assert_array_equal(results["a"], 2 * x)
            np.testing.assert_array_equal(results["b"], x)
    single = black_box.tensor_function(lambda x: [x], outputs[:1])
    assert single(tf.ones((3, 2))).shape == tf.function(single)(tf.ones((3, 2))).shape == (3, 2)


def test_it_is_called_by_one_thread_at_a_time():
    inside, most = [], []

    def predict(x):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)
        inside.pop()
        return [x]

    call = black_box.tensor_function(predict, [Output("a", (2,))])
    together = tf.function(lambda x: [call(x + i) for i in range(6)])
    together(tf.ones((1, 2)))
    threads = [threading.Thread(target=call, args=(tf.ones((1, 2)),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 10


@pytest.mark.parametrize("count", [1, 6, 11, 33])
def test_equal_probabilities_have_equal_logits_wherever_they_stand(count):
    """In float32 the logarithms of the last few numbers of a tensor are computed in another way than the others."""
    p = np.float32([112, 33, 112]) / np.float32(257)
    classifier = Classifier.from_predict(
        lambda x: np.repeat(p[None], len(x), axis=0), input_shape=(2, 2, 1), num_classes=3, outputs="probabilities"
    )
    logits = classifier.predict(np.zeros((count, 2, 2, 1)))
    np.testing.assert_array_equal(logits[:, 0], logits[:, 2])
    np.testing.assert_array_equal(logits, np.repeat(logits[:1], count, axis=0))
    np.testing.assert_allclose(logits[0], np.log(p), rtol=1e-6)


def test_a_runtime_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    assert black_box.runtime("json", "json", "none", "m.tflite").__name__ == "json"
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install 'tfinv\[litert\]', or pip install ai-edge-litert") as error:
        black_box.runtime("ai_edge_litert.interpreter", "ai-edge-litert", "litert", "m.tflite")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("", None), ("x", None)])
def test_threads_are_those_of_tensorflow(text, count, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", text)
    assert black_box.threads() == (count or len(os.sched_getaffinity(0)))


def test_quiet_holds_back_what_a_library_writes_to_standard_error(capfd):
    with black_box.quiet():
        os.write(2, b"chatter\n")
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "news\n"

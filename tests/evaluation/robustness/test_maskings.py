"""Five maskings as Keras models on disk: each is caught when the whole list runs, and its honest twin passes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfinv
from tfinv import attacks, datasets
from tfinv.errors import UserError
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.evaluation.robustness.checks import Effort, robustness_checks
from tfinv.experiments.artefact import GreyLevelFGSM

SHAPE = (10, 10, 1)
EPS = (0.05, 0.2)
EFFORT = Effort(images=80, steps=20, queries=200, draws=100, minimal_steps=40)
# As strong as AutoAttack on the honest net; a single restart is not.
USUAL = ("fgsm", "pgd(steps=40,restarts=5,loss=log_odds)", "noise")


@functools.cache
def digits():
    return [
        datasets.load("mnist5k", split, image_size=SHAPE[:2]).take(n) for split, n in (("train", 2500), ("test", 160))
    ]


@functools.cache
def trunk():
    """A small net on digits, up to the logits."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    train, _ = digits()
    model.fit(train.images, train.labels, epochs=8, batch_size=64, verbose=0)
    return model


def between(before=lambda x: x, after=lambda x: x):
    """The same weights, with something in front of the net and behind it."""
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, after(trunk()(before(inputs))))


@keras.saving.register_keras_serializable("test_maskings")
class Jpeg(keras.layers.Layer):
    """Compression, with the identity for a gradient."""

    def call(self, x):
        @tf.custom_gradient
        def compress(x):
            grey = tf.cast(tf.round(tf.clip_by_value(x, 0.0, 1.0) * 255), tf.uint8)
            coded = tf.map_fn(lambda i: tf.io.decode_jpeg(tf.io.encode_jpeg(i, quality=5), channels=1), grey)
            return tf.cast(tf.reshape(coded, tf.shape(x)), tf.float32) / 255, lambda g: g

        return compress(x)


@keras.saving.register_keras_serializable("test_maskings")
class Misleading(keras.layers.Layer):
    """The identity, with a gradient that points elsewhere for most pixels."""

    def call(self, x):
        signs = np.where(np.random.default_rng(0).uniform(size=SHAPE) < 0.5, -1, 1).astype(np.float32)

        @tf.custom_gradient
        def same(x):
            return tf.identity(x), lambda g: g * signs

        return same(x)


@keras.saving.register_keras_serializable("test_maskings")
class Noisy(keras.layers.Layer):
    """Draws anew at each call, in training or not."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + 0.3 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


@keras.saving.register_keras_serializable("test_maskings")
class Rounded(keras.layers.Layer):
    """NumPy in the middle of a model: no gradient at all."""

    def call(self, x):
        rounded = tf.numpy_function(lambda v: np.round(v * 4).astype(np.float32) / 4, [x], tf.float32)
        return tf.ensure_shape(rounded, (None, *SHAPE))

    def compute_output_shape(self, input_shape):
        return input_shape


def steps(x):
    """Five grey levels by steep sigmoids: a gradient there is, but it is as good as zero nearly everywhere."""
    return sum(keras.ops.sigmoid(2000.0 * (x - level)) for level in (0.2, 0.4, 0.6, 0.8)) / 4.0


def evaluate(model, path, specs=USUAL, **named):
    """Evaluates a file as `tfinv evaluate` does: the outcome and the evidence of each check."""
    model.save(path / "model.keras")
    classifier = tfinv.load_classifier(path / "model.keras", bounds=(0, 1))
    _, test = digits()
    images = classifier.from_unit(test.images)
    chosen = [(spec, attacks.attack(spec)) for spec in specs] + list(named.items())
    rows = accuracy_curve(classifier, images, test.labels, chosen, EPS, experiment="model")
    checks = robustness_checks(rows, classifier, images, test.labels, effort=EFFORT)
    return {c.name: c.passed for c in checks}, {c.name: c.evidence for c in checks}


def failed(passed):
    return {name for name, value in passed.items() if value is False}


def test_the_honest_twin_passes_all(tmp_path):
    passed, evidence = evaluate(between(after=keras.layers.Softmax()), tmp_path, (*USUAL, "square(queries=200)"))
    assert set(passed.values()) == {True}, {n: evidence[n] for n in passed if not passed[n]}
    assert len(passed) == 18


def test_a_weak_attack_on_the_honest_twin_is_caught(tmp_path):
    passed, evidence = evaluate(trunk(), tmp_path, ("pgd(steps=3,step_size=0.005,random_start=False)",))
    weak = {"more-steps-change-nothing", "minimal-attack-finds-nothing-nearer", "perturbation-uses-budget"}
    assert weak <= failed(passed), evidence
    for name in ("gradient-matches-differences", "unbounded-attack-reaches-zero", "zero-gradients"):
        assert passed[name], evidence  # it is not the model's fault


def test_1_saturated_probabilities_are_caught(tmp_path):
    """The softmax hides behind a layer, so that it can't be cut off, and the logits are a hundred times too large."""

    def after(z):
        return keras.layers.Rescaling(1.0)(keras.layers.Softmax()(keras.layers.Rescaling(100.0)(z)))

    passed, evidence = evaluate(between(after=after), tmp_path)
    assert "logits-are-known" in failed(passed), evidence
    # With some processors a softmax ends at .99999994: then the gradient is not zero, but that of the rounding.
    assert failed(passed) & {"zero-gradients", "gradient-matches-differences"}, evidence
    assert "log of the probabilities" in evidence["logits-are-known"]


def test_1_saturated_cross_entropy_is_caught(tmp_path):
    """The model is honest, and the attack's loss loses its gradient."""
    model = between(after=keras.layers.Rescaling(300.0))
    passed, evidence = evaluate(model, tmp_path, ("pgd(steps=40,loss=cross_entropy)",))
    assert {"losses-agree", "zero-gradients"} <= failed(passed), evidence
    assert "cross_entropy saturates" in evidence["losses-agree"]
    assert not failed(evaluate(model, tmp_path)[0])  # the default loss sees through it


def test_2_a_quantised_input_is_caught(tmp_path):
    passed, evidence = evaluate(between(before=steps), tmp_path)
    # The gradient is right, and leads no further than its step.
    assert {"noise-finds-nothing-new", "black-box-finds-nothing-new"} <= failed(passed), evidence


def test_3_random_predictions_are_caught(tmp_path):
    passed, evidence = evaluate(between(before=Noisy()), tmp_path)
    assert "predictions-are-deterministic" in failed(passed), evidence


@pytest.mark.parametrize("layer", [Jpeg, Misleading])
def test_4_a_gradient_that_is_not_the_models_is_caught(layer, tmp_path):
    passed, evidence = evaluate(between(before=layer()), tmp_path)
    assert "gradient-matches-differences" in failed(passed), evidence


def test_4_a_model_without_a_gradient_is_refused_and_not_called_robust(tmp_path):
    with pytest.raises(UserError, match="a classifier with gradients"):
        evaluate(between(before=Rounded()), tmp_path)
    passed, evidence = evaluate(between(before=Rounded()), tmp_path, ("square(queries=50)", "noise"))
    for name in ("gradient-matches-differences", "unbounded-attack-reaches-zero", "black-box-finds-nothing-new"):
        assert passed[name] is None, evidence
        assert "not run" in evidence[name]


def test_5_an_eps_in_grey_levels_is_caught(tmp_path):
    passed, evidence = evaluate(trunk(), tmp_path, (), grey_levels=GreyLevelFGSM())
    assert {"perturbation-uses-budget", "accuracy-falls-with-eps"} <= failed(passed), evidence

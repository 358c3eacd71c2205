"""FGSM and PGD where the optimum is known in closed form, and where gradients mislead."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from linear_model import SHAPE, WEIGHTS, function, linear, middle
from tfinv.attacks import FGSM, NFGSM, PGD, attack
from tfinv.attacks.losses import LOSSES
from tfinv.classifier import Classifier
from tfinv.errors import UserError

LINEAR = [FGSM, PGD]


def make(cls, eps, norm, loss="margin"):
    """Returns an attack. PGD in L2 gets long steps, with which it converges in a few of them."""
    return cls(eps=eps, norm=norm, loss=loss, **({"step_size": eps} if cls is PGD and norm == "l2" else {}))


def margins(classifier, images):
    logits = classifier.predict(images).astype(np.float64)
    return logits[:, 1] - logits[:, 0]


@pytest.mark.parametrize("cls", LINEAR)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("loss", "bounds"),
    [
        *((loss, (0.0, 1.0)) for loss in LOSSES if loss != "logit"),  # here z_y does not depend on x
        *(("soft_margin", bounds) for bounds in [(0.0, 255.0), (-1.0, 1.0)]),  # a loss sees logits, and no bounds
    ],
)
def test_a_linear_model_loses_eps_times_the_dual_norm(cls, norm, loss, bounds):
    eps = 0.1 * (bounds[1] - bounds[0])
    offset = -7.5 * (bounds[1] - bounds[0])  # too far to be misclassified, so that no attack stops early
    # Cross-entropy needs logits at which it does not saturate; the optimum is the same.
    classifier = linear(offset, bounds, scale=1 / abs(offset))
    result = make(cls, eps, norm, loss)(classifier, middle(bounds), np.zeros(3, int))
    dual = np.abs(WEIGHTS).sum() if norm == "linf" else np.linalg.norm(WEIGHTS)
    np.testing.assert_allclose(margins(classifier, result.images), (offset + eps * dual) / abs(offset), rtol=2e-6)
    np.testing.assert_allclose(result.distances, eps, rtol=2e-6)
    assert not result.success.any()
    assert not result.zero_gradients.any()


@pytest.mark.parametrize("cls", LINEAR)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_success_begins_where_the_dual_norm_says(cls, norm):
    dual = np.abs(WEIGHTS).sum() if norm == "linf" else np.linalg.norm(WEIGHTS)
    classifier = linear(-0.1 * dual)
    for eps, expected in [(0.0998, False), (0.1002, True)]:
        assert make(cls, eps, norm)(classifier, middle(), np.zeros(3, int)).success.all() == expected


@pytest.mark.parametrize("cls", LINEAR)
def test_targeted_on_a_linear_model(cls):
    classifier = linear(-7.5)
    result = cls(eps=0.1, targeted=True)(classifier, middle(), np.zeros(3, int), targets=np.ones(3, int))
    np.testing.assert_allclose(margins(classifier, result.images), -7.5 + 0.1 * np.abs(WEIGHTS).sum(), rtol=1e-6)


def test_clipping_to_the_bounds_costs_what_it_must():
    classifier = linear(-9.0)
    x = np.zeros((1, *SHAPE), np.float32)  # only positive weights can be followed
    for cls in LINEAR:
        images = cls(eps=0.25)(classifier, x, np.zeros(1, int)).images
        np.testing.assert_allclose(images.ravel(), 0.25 * (WEIGHTS > 0), atol=1e-7)


def test_one_step_of_pgd_from_the_image_is_fgsm():
    classifier = linear(-9.0)
    x = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype(np.float32)
    for norm in ("linf", "l2"):
        one = PGD(eps=0.1, norm=norm, steps=1, step_size=0.1, random_start=False)(classifier, x, np.zeros(5, int))
        np.testing.assert_array_equal(one.images, FGSM(eps=0.1, norm=norm)(classifier, x, np.zeros(5, int)).images)


def test_step_size_and_steps_are_what_they_say():
    classifier = linear(-9.0)
    result = PGD(eps=0.3, steps=3, step_size=0.05, random_start=False)(classifier, middle(), np.zeros(3, int))
    np.testing.assert_allclose(
        result.images - 0.5, np.broadcast_to(0.15 * np.sign(WEIGHTS), (3, 6)).reshape(3, *SHAPE), rtol=1e-5
    )
    # Madry's 2.5 eps / steps reaches the edge: 4 steps of .1875.
    result = PGD(eps=0.3, steps=4, random_start=False)(classifier, middle(), np.zeros(3, int))
    np.testing.assert_allclose(result.distances, 0.3, rtol=1e-6)


def test_a_success_on_the_way_is_kept():
    """A ridge at .53, beside the image at .5: a short step lands on it, and the next one would leave it again."""
    classifier = function(lambda x: tf.stack([0 * x[:, 0, 0, 0], 1 - 5000 * tf.square(x[:, 0, 0, 0] - 0.53)], 1))
    x, y = middle(n=1), np.zeros(1, int)
    for steps in (1, 2, 3, 10):
        result = PGD(eps=0.3, steps=steps, step_size=0.04, random_start=False)(classifier, x, y)
        assert result.images[0, 0, 0, 0] == pytest.approx(0.54, abs=1e-6)
        assert result.success.all()


def test_restarts_find_what_one_run_does_not():
    """Success only where a pixel begins far from the image: a plateau with a pit at its edge."""

    def fn(x):
        z = x[:, 0, 0, 0]
        return tf.stack([0 * z, tf.where(z > 0.58, 1.0, -1.0) + 0 * z], 1)

    classifier = function(fn)
    x, y = middle(n=64), np.zeros(64, int)
    rates, calls = [], []
    for restarts in (1, 2, 8):
        result = PGD(eps=0.1, steps=2, restarts=restarts)(classifier, x, y, seed=0)
        rates.append(result.success.mean())
        calls.append(result.gradient_calls)
        assert result.zero_gradients.all()
    # A start beyond .58 has chance 1 in 10.
    assert 0.02 < rates[0] < rates[1] < rates[2]
    assert rates[2] == pytest.approx(1 - 0.9**8, abs=0.2)
    # Solved rows are not run again.
    np.testing.assert_array_equal(calls[1], np.where(calls[1] == 2, 2, 4))
    assert (calls[1] == 2).mean() == rates[0]


def test_a_solved_row_does_not_depend_on_the_others():
    classifier = linear(-1.0)
    easy = middle(n=1) + 0.1 * np.sign(WEIGHTS).reshape(1, *SHAPE).astype(np.float32)
    hard = middle(n=1) - 0.3 * np.sign(WEIGHTS).reshape(1, *SHAPE).astype(np.float32)
    attack = PGD(eps=0.15, steps=40)
    together = attack(classifier, np.concatenate([easy, hard]), np.zeros(2, int), seed=3)
    alone = attack(classifier, easy, np.zeros(1, int), seed=3)
    assert list(together.success) == [True, False]
    np.testing.assert_array_equal(together.images[0], alone.images[0])
    assert together.gradient_calls[0] == alone.gradient_calls[0] < together.gradient_calls[1] == 40


def test_gradient_calls_of_fgsm():
    assert list(FGSM(eps=0.01)(linear(-1.0), middle(), np.array([0, 0, 1])).gradient_calls) == [1, 1, 0]


@functools.cache
def mlp_victim(scale):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(inputs))
    last = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1))
    model = keras.Model(inputs, last(x))
    last.kernel.assign(scale * last.kernel)
    return Classifier.from_keras(model)


def robust_accuracy(scale, **options):
    classifier = mlp_victim(scale)
    x = np.random.default_rng(0).uniform(size=(400, 4, 4, 1)).astype(np.float32)
    y = mlp_victim(1.0).predict(x).argmax(1)
    return 1 - PGD(eps=0.15, steps=15, **options)(classifier, x, y, seed=0).success.mean()


def test_the_scale_of_the_logits_does_not_matter():
    robust = [robust_accuracy(scale) for scale in (1.0, 10.0, 100.0)]
    assert 0.1 < robust[0] < 0.9  # so there is something to lose
    assert max(robust) - min(robust) < 0.01
    # The loss is why: cross-entropy, which saturates, does see the scale.
    assert robust_accuracy(100.0, loss="cross_entropy") > robust[0] + 0.05


def test_saturated_cross_entropy_has_zero_gradients_and_margin_has_not():
    classifier, x, y = linear(-7.0, scale=100.0), middle(), np.zeros(3, int)
    assert FGSM(eps=0.1, loss="cross_entropy")(classifier, x, y).zero_gradients.all()
    assert PGD(eps=0.1, loss="cross_entropy", steps=2)(classifier, x, y).zero_gradients.all()
    assert not FGSM(eps=0.1)(classifier, x, y).zero_gradients.any()
    result = FGSM(eps=0.1, loss="cross_entropy")(classifier, x, y)
    np.testing.assert_array_equal(result.images, x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_that_is_not_a_number_in_places(norm):
    """sqrt(relu(x - .5)) has the gradient inf * 0 below .5; the second pixel has an honest one."""

    def fn(x):
        bad = tf.sqrt(tf.nn.relu(x[:, 0, 0, 0] - 0.5))
        return tf.stack([0 * bad, bad + x[:, 0, 1, 0] - 2.0], 1)

    classifier = function(fn, differentiable=True)
    x = np.full((2, *SHAPE), 0.25, np.float32)
    for cls in LINEAR:
        result = cls(eps=0.1, norm=norm)(classifier, x, np.zeros(2, int))
        assert np.isfinite(result.images).all()
        np.testing.assert_allclose(result.images[:, 0, 1, 0], 0.35, atol=0.02 if cls is PGD else 1e-6)
        assert not result.zero_gradients.any()


def test_a_gradient_that_is_nowhere_a_number_counts_as_zero():
    classifier = function(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], tf.reduce_sum(tf.sqrt(tf.nn.relu(x - 0.5)), [1, 2, 3]) - 9], 1)
    )
    x = np.full((2, *SHAPE), 0.25, np.float32)
    result = FGSM(eps=0.1)(classifier, x, np.zeros(2, int))
    np.testing.assert_array_equal(result.images, x)
    assert result.zero_gradients.all()


def test_text_form():
    assert attack("pgd(eps=8/255,steps=7,norm=l2)") == PGD(eps=8 / 255, steps=7, norm="l2")
    assert attack("fgsm", eps=0.2, steps=9) == FGSM(eps=0.2)
    with pytest.raises(UserError, match=r"fgsm.*noise.*pgd"):
        attack("foolbox")


def test_nfgsm_takes_its_step_where_the_noise_beyond_the_budget_fools_already():
    """On four pixels the noise often fools, and what is left of it in the budget less often."""
    classifier = Classifier.from_callable(
        lambda x: (tf.reduce_sum(x - 0.5, [1, 2, 3]) - 0.3 * 0.05 * 4)[:, None] * [-1.0, 1.0],
        input_shape=(2, 2, 1),
        num_classes=2,
        outputs="logits",
    )
    x, y = np.full((400, 2, 2, 1), 0.5, np.float32), np.zeros(400, int)
    stepped, stopped = (
        NFGSM(eps=0.05, early_stop=stop)(classifier, x, y, seed=0).success.mean() for stop in (False, True)
    )
    assert NFGSM().early_stop is False
    assert stepped > stopped + 0.05

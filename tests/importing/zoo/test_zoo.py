"""One contract over all forms of models: right logits, right gradients, or a refusal whose advice works."""

import numpy as np
import pytest
import tensorflow as tf

from tests.importing.zoo import table
from tfinv.errors import UserError
from tfinv.importing import load_classifier

FORMS = table.forms()
COME_IN = [form for form in FORMS if not form.refusal]


def build(form, folder):
    for package in form.needs:
        pytest.importorskip(package)
    return form.build(folder)


def name(form):
    return f"{form.kind}: {form.name}"


def test_names_are_unique():
    assert len({name(form) for form in FORMS}) == len(FORMS)


@pytest.mark.parametrize("form", COME_IN, ids=name)
def test_logits_and_gradients(form, tmp_path):
    built = build(form, tmp_path)
    classifier = load_classifier(built.path, **form.arguments)
    logits = classifier.predict(built.images)
    assert logits.shape == built.logits.shape
    moved = (logits - built.logits) - (logits - built.logits).mean(axis=1, keepdims=True)
    assert np.abs(moved).max() <= form.tolerance * max(1.0, np.ptp(built.logits))
    assert classifier.differentiable == form.gradients
    if form.gradients and not form.estimates:
        assert_gradients_are_those_of_differences(classifier, built.images)


def assert_gradients_are_those_of_differences(classifier, images):
    """Compares the derivative along a random direction with a central difference, for a random combination of the logits."""
    rng = np.random.default_rng(0)
    low, high = classifier.bounds
    step = 2e-3 * (high - low)
    inside = np.clip(images, low + 2 * step, high - 2 * step).astype(np.float32)
    direction = rng.choice([-1.0, 1.0], images.shape).astype(np.float32)
    weights = rng.normal(size=classifier.num_classes).astype(np.float32)
    weights -= weights.mean()  # a constant added to all logits of an image means nothing

    @tf.function(autograph=False)
    def derivative(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.linalg.matvec(classifier.gradient_logits(x), weights)
        return tf.reduce_sum(tape.gradient(value, x) * direction, axis=(1, 2, 3))

    def value(x):
        return classifier.predict(x).astype(np.float64) @ weights

    difference = (value(inside + step * direction) - value(inside - step * direction)) / (2 * step)
    analytic = derivative(tf.constant(inside)).numpy()
    scale = np.abs(difference).max()
    assert scale > 0
    # The median, for a kink of a ReLU may lie between the two points.
    assert np.median(np.abs(analytic - difference)) <= 0.02 * scale


@pytest.mark.parametrize("form", [form for form in FORMS if form.refusal], ids=name)
def test_refusals(form, tmp_path):
    built = build(form, tmp_path)
    with pytest.raises(UserError) as raised:
        load_classifier(built.path, **form.arguments)
    text = str(raised.value)
    assert form.refusal in text
    assert "\n" not in text

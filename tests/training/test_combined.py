"""Another recipe beside the decoder of the destruction defence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv.errors import UserError
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defences import DEFENCES, CombinedDefence, defence, show
from tfinv.training.destruction import Reversal
from tfinv.training.destruction_training import DestructionTraining
from tfinv.training.free import Free, FreeTraining
from tfinv.training.trades import Trades, TradesTraining

DATA = stripes(16)
BATCH = tf.constant(DATA.images), tf.constant(DATA.labels)
RECIPES = [name for name, cls in DEFENCES.items() if cls.COMBINES]


def destruction(network, inner=None):
    training = DestructionTraining(
        network, "reversal", DATA.images, DATA.labels, strength=1.0, bound="none", inner=inner
    )
    training.compile(keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.5))
    training.decoder.set_weights([np.full_like(w, 0.05) for w in training.decoder.get_weights()])
    return training


def test_with_plain_cross_entropy_inside_it_is_the_destruction_defence():
    networks = [small_net(DATA), small_net(DATA)]
    alone = destruction(networks[0])
    combined = destruction(networks[1], ClassifierTraining(networks[1]))
    for _ in range(3):
        logs = [training.train_step(BATCH) for training in (alone, combined)]
    assert {k: float(v) for k, v in logs[0].items()} == pytest.approx(
        {k: float(v) for k, v in logs[1].items()}, rel=1e-4
    )
    for expected, weights in zip(alone.get_weights(), combined.get_weights(), strict=True):
        np.testing.assert_allclose(expected, weights, atol=1e-5)


def test_the_classifier_follows_both_gradients():
    network = small_net(DATA)
    inner = TradesTraining(network, Trades(eps=0.1, beta=2.0), seed=4)
    training = destruction(network, inner)
    inputs = inner.prepare(*BATCH)
    kernel, weight = training.encoder.trainable_variables[0], training.decoder.trainable_variables[-1]
    with tf.GradientTape(persistent=True) as tape:
        trades, _ = inner.objective(BATCH[1], *inputs)
        errors = training.relative_errors(training.decoder(training.encoder(BATCH[0])), BATCH[0])
        reconstruction = tf.reduce_mean(errors)
    expected = kernel - 0.5 * (tape.gradient(trades, kernel) - tape.gradient(reconstruction, kernel))
    decoded = weight - 0.5 * tape.gradient(reconstruction, weight)
    training.decoder_steps = 1
    logs = training.train_step(BATCH)
    np.testing.assert_allclose(kernel, expected, atol=1e-5)
    np.testing.assert_allclose(weight, decoded, atol=1e-5)
    assert float(logs["loss"]) == pytest.approx(float(trades), rel=1e-5)
    assert {"divergence", "reconstruction_loss", "accuracy"} < set(logs)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_that_combines_trains(name):
    combined = defence(f"{name}+reversal(strength=1,ramp=.5)")
    training = combined.training(Plan(small_net(DATA), DATA, 2, 8))
    training.compile(keras.optimizers.SGD(0.1))
    before = training.export_classifier().get_weights()
    logs = training.train_step(BATCH)
    assert np.isfinite([float(v) for v in logs.values()]).all()
    after = training.export_classifier().get_weights()
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True) if a.ndim > 1)
    assert int(training.inner.optimizer.iterations) == training.updates
    assert int(training.decoder_optimizer.iterations) == 2 * training.updates


def test_each_replay_of_free_follows_both_gradients_and_moves_the_perturbation_by_its_own():
    network, twin = small_net(DATA), small_net(DATA)
    twin.set_weights(network.get_weights())
    inner, alone = (FreeTraining(net, Free(eps=0.1, replays=2), seed=4) for net in (network, twin))
    training, other = destruction(network, inner), destruction(twin, alone)
    training.decoder_steps = 1
    inputs = alone.prepare(*BATCH)
    for _ in range(2):
        variables, decoding = twin.trainable_variables, other.decoder.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs[0])
            loss, _ = alone.objective(BATCH[1], *inputs)
            reconstructions = other.decoder(other.encoder(BATCH[0], training=True), training=True)
            errors = other.relative_errors(reconstructions, BATCH[0])
            reconstruction = tf.reduce_mean(errors)
        input_gradient = tape.gradient(loss, inputs[0])
        gradients, reconstruction_gradients = tape.gradient(loss, variables), tape.gradient(reconstruction, variables)
        for weights, gradient, reversed_gradient in zip(variables, gradients, reconstruction_gradients, strict=True):
            weights.assign_sub(0.5 * (gradient if reversed_gradient is None else gradient - reversed_gradient))
        for weights, gradient in zip(decoding, tape.gradient(reconstruction, decoding), strict=True):
            weights.assign_sub(0.5 * gradient)
        inputs = alone.update_inputs(inputs, input_gradient)
    training.train_step(BATCH)
    for weights, expected in zip(training.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_a_ramp_beside_free_counts_its_updates():
    combined = defence("free(replays=4)+reversal(ramp=.5)")
    training = combined.training(Plan(small_net(DATA), DATA, 4, 8))
    assert training.reversal.schedule.steps == 0.5 * 4 * 2 * 4
    assert training.updates == 4


def test_the_inner_training_smooths_labels_as_the_outer_does():
    network = small_net(DATA)
    training = destruction(network, ClassifierTraining(network))
    training.label_smoothing = 0.4
    logits = network(BATCH[0])
    logs = training.train_step(BATCH)
    targets = 0.6 * np.eye(2)[DATA.labels] + 0.2
    assert float(logs["loss"]) == pytest.approx(
        -np.mean((targets * tf.nn.log_softmax(logits)).numpy().sum(1)), rel=1e-5
    )


def test_its_text_form_names_both():
    value = defence("trades(eps=.3, ramp=.3) + reversal(strength=3)")
    assert value == CombinedDefence(Trades(eps=0.3, ramp=0.3), Reversal(strength=3))
    assert show(value) == "trades(eps=0.3,ramp=0.3)+reversal(strength=3)"
    assert defence(show(value)) == value


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dp_sgd+reversal", "before .reversal a recipe .* Received: dp_sgd"),
        ("rounding+shuffled", "Received: rounding"),
        ("nls+reversal", "Received: nls"),
        ("none+reversal", "Received: none"),
        ("positive+reversal", "Received: positive"),
        ("reversal+trades", "positive, reversal or shuffled after"),
        ("trades+mart", "Received: mart"),
        ("trades+mart+reversal", "at most two"),
        ("trades+", "a spec"),
        ("trades+magic", "one of adversarial"),
    ],
)
def test_what_makes_no_sense_is_named(spec, message):
    with pytest.raises(UserError, match=message):
        defence(spec)

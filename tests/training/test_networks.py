"""Networks of the user's: whatever their range and end, a recipe trains them as it trains ours, or refuses them."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from stripes import stripes
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.training.base import Plan
from tfinv.training.defences import defence
from tfinv.training.destruction_training import DestructionTraining
from tfinv.training.fit import fit
from tfinv.training.networks import adapt
from tfinv.training.recognition import PIXELS, UNIT

layers = keras.layers
DATA = stripes()


def normalization():
    layer = layers.Normalization(axis=-1)
    layer.adapt(np.float32(255 * DATA.images))
    return layer


# What comes before the first layer with weights, and the range of pixels that it takes.
FRONTS = {
    "none": (lambda x: x, UNIT),
    "rescaling to [0, 1]": (layers.Rescaling(1 / 255), PIXELS),
    "rescaling to [-1, 1]": (layers.Rescaling(1 / 127.5, -1), PIXELS),
    "rescaling of [0, 1]": (layers.Rescaling(2.0, -1.0), UNIT),
    "operations": (lambda x: (x / 255.0 - 0.5) / 0.25, PIXELS),
    "normalization": (normalization(), PIXELS),
    "nested": (keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255)]), PIXELS),
    "there and back": (lambda x: layers.Rescaling(1 / 255)(layers.Rescaling(255.0)(x)), UNIT),
}
# The last layers, and what they end in.
ENDS = {
    "logits": (lambda x: layers.Dense(2)(x), ""),
    "softmax": (lambda x: layers.Dense(2, activation="softmax")(x), "softmax"),
    "softmax layer": (lambda x: layers.Softmax()(layers.Dense(2)(x)), "softmax"),
    "activation layer": (lambda x: layers.Activation("softmax")(layers.Dense(2)(x)), "softmax"),
    "operation": (lambda x: keras.ops.softmax(layers.Dense(2)(x)), "softmax"),
    "sigmoids": (lambda x: layers.Dense(2, activation="sigmoid")(x), "sigmoid"),
    "one unit": (lambda x: layers.Dense(1)(x), ""),
    "one sigmoid": (lambda x: layers.Dense(1, activation="sigmoid")(x), "sigmoid"),
}


def network(front="none", end="logits", seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu")(FRONTS[front][0](images))
    return keras.Model(images, ENDS[end][0](layers.Flatten()(x)), name="net")


def nested(end):
    """A network whose last part, a Sequential, has the end inside."""
    images = keras.Input((8, 8, 1))
    head = keras.Sequential([keras.Input((64,)), layers.Dense(2), layers.Activation(end)])
    return keras.Model(images, head(layers.Flatten()(layers.Rescaling(1 / 255)(images))))


def in_range(bounds):
    return DATA.images * (bounds[1] - bounds[0]) + bounds[0]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("front", FRONTS)
def test_what_a_network_takes_and_gives_is_recognised(front, end):
    bounds, activation = FRONTS[front][1], ENDS[end][1]
    model = network(front, end)
    adaptation = adapt(model, DATA)
    assert (adaptation.bounds, adaptation.end) == (bounds, activation)
    logits, outputs = adaptation.network(DATA.images).numpy(), model(in_range(bounds)).numpy()
    assert logits.shape == (len(DATA), 2)
    if "one" in end and end != "none":
        assert not logits[:, 0].any()
        logits = logits[:, 1:]
    activate = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid, "": tf.identity}[activation]
    np.testing.assert_allclose(activate(logits), outputs, atol=1e-5)
    assert (adaptation.network is model) == (
        front in ("none", "rescaling of [0, 1]", "there and back") and end == "logits"
    )
    assert bool(adaptation.notes) == (adaptation.network is not model)


def trained(model, recipe="none", **options):
    """The network as it is exported, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        training = defence(recipe).training(Plan(model, DATA, epochs=6, batch_size=16, seed=1))
    training.compile(keras.optimizers.Adam(1e-2))
    fit(training, DATA, epochs=6, batch_size=16, seed=1, **options)
    return training.export_classifier(), [str(w.message) for w in caught]


def predictions(model, bounds):
    outputs = model(in_range(bounds), training=False).numpy()
    return outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)


@pytest.mark.parametrize(("front", "end"), [("rescaling to [0, 1]", "softmax"), ("normalization", "one sigmoid")])
def test_it_is_trained_and_comes_back_in_its_form(front, end):
    model = network(front, end)
    exported, notes = trained(model)
    assert exported is model
    assert np.mean(predictions(model, PIXELS) == DATA.labels) > 0.95
    assert len(notes) == 1
    assert "net takes images from 0 to 255" in notes[0]
    assert "cut off for the loss" in notes[0]


def test_it_learns_the_same_as_one_of_our_form():
    """To the last weight but for rounding: what is scaled there and back, and cut off, changes nothing."""
    plain, _ = trained(network("none", "logits"))
    adapted, _ = trained(network("rescaling to [0, 1]", "softmax"))
    for a, b in zip(plain.get_weights(), adapted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_one_of_our_form_is_left_alone():
    exported, notes = trained(network("rescaling of [0, 1]", "logits"))
    assert notes == []
    assert np.mean(predictions(exported, UNIT) == DATA.labels) > 0.95


@pytest.mark.parametrize("recipe", ["adversarial(eps=.05,steps=2)", "dp_sgd(noise=.1)", "trades(eps=.05,steps=2)"])
def test_other_recipes_train_it_too(recipe):
    model = network("rescaling to [-1, 1]", "softmax")
    exported, _ = trained(model, recipe)
    assert exported is model
    assert np.mean(predictions(exported, PIXELS) == DATA.labels) > 0.9


def with_encoding(front, end):
    images = keras.Input((8, 8, 1))
    x = layers.Dense(8, activation="relu", name="encoding")(layers.Flatten()(front(images)))
    return keras.Model(images, layers.Dense(2, activation=end)(x), name="net")


@pytest.mark.parametrize(
    ("front", "end", "message"),
    [
        (layers.Rescaling(1 / 255), None, "takes images from 0 to 255"),
        (layers.Identity(), "softmax", "ends in a softmax"),
    ],
)
def test_a_training_model_made_directly_refuses_it_and_the_advice_works(front, end, message):
    model = with_encoding(front, end)
    with pytest.raises(UserError, match=rf"net, which {message}. Use defence\(...\).training\(Plan"):
        DestructionTraining(model, "reversal", DATA.images, DATA.labels)
    exported, notes = trained(model, "reversal(strength=1)")
    assert exported is model
    assert len(notes) == 1
    bounds = UNIT if end else PIXELS
    assert np.mean(predictions(exported, bounds) == DATA.labels) > 0.9


def test_what_a_recipe_makes_anew_takes_and_gives_the_same(tmp_path):
    """Rounded confidences, and a bottleneck: neither is the network itself."""
    rounded, _ = trained(network("rescaling to [0, 1]", "softmax"), "rounding")
    values = rounded(in_range(PIXELS)).numpy()
    np.testing.assert_allclose(values, np.round(values, 1), atol=1e-6)
    assert np.mean(values.argmax(1) == DATA.labels) > 0.95
    images = keras.Input((8, 8, 1))
    x = layers.Dense(8, activation="relu", name="encoding")(layers.Flatten()(layers.Rescaling(1 / 255)(images)))
    model = keras.Model(images, layers.Dense(1, activation="sigmoid")(x))
    bottleneck, _ = trained(model, "mid(beta=.001)")
    bottleneck.save(tmp_path / "mid.keras")
    outputs = keras.models.load_model(tmp_path / "mid.keras")(in_range(PIXELS)).numpy()
    assert outputs.shape == (len(DATA), 1)
    assert np.mean((outputs[:, 0] > 0.5) == DATA.labels) > 0.95


@pytest.mark.parametrize("end", ["softmax", "sigmoid"])
def test_an_end_inside_a_nested_model_is_found(end):
    model = nested(end)
    adaptation = adapt(model, DATA)
    assert (adaptation.bounds, adaptation.end) == (PIXELS, end)
    activate = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}[end]
    np.testing.assert_allclose(activate(adaptation.network(DATA.images)), model(in_range(PIXELS)), atol=1e-5)


def test_frozen_layers_stay_as_they_are():
    images = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="base")(layers.Rescaling(1 / 255)(images))
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    model = keras.Model(images, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    for name in ("base", "norm"):
        model.get_layer(name).trainable = False
    before = {name: model.get_layer(name).get_weights() for name in ("base", "norm")}
    for recipe in ("none", "dp_sgd(noise=.1)"):
        exported, _ = trained(model, recipe)
        for name, weights in before.items():
            for new, old in zip(exported.get_layer(name).get_weights(), weights, strict=True):
                np.testing.assert_array_equal(new, old)


def test_a_layer_that_is_used_twice_is_copied_once():
    images = keras.Input((8, 8, 1))
    shared = layers.Conv2D(4, 3, padding="same", activation="relu")
    x = shared(layers.Concatenate()([shared(layers.Concatenate()([images / 255.0] * 4))]))
    model = keras.Model(images, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    adaptation = adapt(model, DATA)
    assert adaptation.network.count_params() == model.count_params()
    np.testing.assert_allclose(tf.nn.softmax(adaptation.network(DATA.images)), model(in_range(PIXELS)), atol=1e-5)


@pytest.mark.parametrize("bounds", [(0.0, 255.0), (-1.0, 1.0)])
def test_a_trained_network_says_its_range_by_its_accuracy(bounds):
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 10
    templates = rng.choice([-0.3, 0.3], (10, 64))
    templates -= templates.mean(1, keepdims=True)
    images = np.clip(0.5 + templates[labels] + rng.uniform(-0.05, 0.05, (300, 64)), 0, 1)
    images = images.reshape(300, 8, 8, 1).astype(np.float32)
    data = Dataset("templates", "train", images, labels, tuple(map(str, range(10))))
    # It compares with templates about the middle of its range, and no layer says which that is.
    low, high = bounds
    kernel = templates.T + rng.normal(0, 0.5, 10)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)])
    model.layers[-1].set_weights([kernel, -kernel.sum(0) * (low + high) / 2])
    adaptation = adapt(model, data)
    assert adaptation.bounds == bounds
    assert "it was trained on these" in adaptation.notes[0]
    assert np.mean(adaptation.network(images).numpy().argmax(1) == labels) > 0.95


def right_in(bounds, units):
    """A network that is right about the stripes in one range: above is brighter than its middle, or else below."""
    low, high = bounds
    kernel = np.zeros((64, 2), np.float32)
    kernel[:32, 0] = 1
    border = 32 * (low + 0.45 * (high - low))
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2), layers.Dense(units)])
    last = [[1.0, 0.0], [0.0, 0.0]] if units == 2 else [[-1.0], [0.0]]
    model.layers[-2].set_weights([kernel, np.float32([-border, 0.5])])
    model.layers[-1].set_weights([np.float32(last), np.zeros(units, np.float32)])
    return model


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_a_trained_network_of_two_classes_says_its_range_too(bounds, units):
    adaptation = adapt(right_in(bounds, units), DATA)
    assert (adaptation.bounds, adaptation.is_assumed) == (bounds, False)


def test_what_nothing_tells_is_assumed_or_given():
    """An untrained network, however well it does by luck."""
    adaptation = adapt(network(), DATA)
    assert (adaptation.bounds, adaptation.is_assumed, adaptation.notes) == (UNIT, True, ())
    declared = adapt(network(), DATA, (-1.0, 1.0))
    assert (declared.bounds, declared.is_assumed) == ((-1.0, 1.0), False)
    assert declared.notes == ("net takes images from -1 to 1, since that is how it is given: images are scaled to it",)
    x = np.float32(DATA.images)
    np.testing.assert_allclose(declared.network(x), declared.original(2 * x - 1), atol=1e-5)
    assert not adapt(network("rescaling to [0, 1]"), DATA).is_assumed


def test_a_range_that_is_assumed_is_said_where_anything_is():
    _, (note,) = trained(network(end="softmax"))
    assert "nothing in net says which range it takes: it gets images from 0 to 1" in note


class Subclassed(keras.Model):
    """A network of one dense layer, with what comes before and after it."""

    def __init__(self, end, units=2, start=lambda x: x):
        super().__init__(name="subclassed")
        self.dense, self.flatten, self.end, self.start = layers.Dense(units), layers.Flatten(), end, start

    def call(self, x):
        return self.end(self.dense(self.flatten(self.start(x))))


def built(model):
    model(DATA.images[:1])
    return model


def scaling():
    """A subclassed network that rescales inside."""
    return built(Subclassed(layers.Identity(), start=layers.Rescaling(1 / 255)))


def unbuilt():
    return keras.Sequential([layers.Flatten(), layers.Dense(2)], name="net")


def frozen():
    model = network()
    model.trainable = False
    return model


def small(shape=(8, 8, 1), units=2, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), layers.Flatten(), layers.Dense(units)], name="net")


def two_outputs():
    model = network()
    return keras.Model(model.inputs[0], [model.outputs[0], model.outputs[0] * 2])


def shares(z):
    return keras.ops.exp(z) / keras.ops.sum(keras.ops.exp(z), 1, keepdims=True)


THREE = Dataset("three", "train", DATA.images, np.arange(96) % 3, ("a", "b", "c"))

REFUSED = {
    "no model": (lambda: lambda x: x, DATA, "a Keras model to train. Received: function"),
    "unbuilt": (unbuilt, DATA, "Call it on a batch of images first"),
    "frozen": (frozen, DATA, "all of them frozen. Set network.trainable = True"),
    "another size": (lambda: small((28, 28, 1)), DATA, r"a network for images of \(8, 8, 1\).*\(28, 28, 1\)"),
    "too few outputs": (lambda: small(), THREE, "an output for each of 3 classes. Received: one with 2"),
    "one unit for three": (lambda: small(units=1), THREE, "an output for each of 3 classes"),
    "integers": (lambda: small(dtype="uint8"), DATA, 'Rebuild it on keras.Input.shape, dtype="float32"'),
    "two outputs": (two_outputs, DATA, "choose one output"),
    "subclassed softmax": (lambda: built(Subclassed(tf.nn.softmax)), DATA, "End it in logits"),
    "subclassed Keras softmax": (lambda: built(Subclassed(layers.Softmax())), DATA, "End it in logits"),
    "subclassed unit": (lambda: built(Subclassed(layers.Identity(), 1)), DATA, "Give it an output for each class"),
    "subclassed range": (lambda: scaling(), DATA, r"Wrap it: keras.Model.x, network.255 \* x \+ 0.."),
    "an end of its own": (
        lambda: keras.Sequential([keras.Input((8, 8, 1)), *small().layers, layers.Lambda(shares)], name="net"),
        DATA,
        r"whose outputs are probabilities. End it in logits",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused(name):
    make, data, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        defence("none").training(Plan(make(), data))


def test_one_without_layers_to_look_at_is_trained_with_a_line():
    exported, notes = trained(built(Subclassed(tf.identity)))
    assert notes == [
        "subclassed has no layers to look at: it gets images from 0 to 1, and its outputs are taken for logits. "
        "It is exported in its own form."
    ]
    assert np.mean(predictions(exported, UNIT) == DATA.labels) > 0.95


def test_the_advice_works():
    """Each line's own words, followed."""
    model = unbuilt()
    model(DATA.images[:1])
    assert adapt(model, DATA).notes == ()
    model = frozen()
    model.trainable = True
    assert adapt(model, DATA).notes == ()
    assert adapt(small(units=3), THREE).notes == ()
    assert adapt(built(Subclassed(layers.Identity())), DATA).notes == ()
    images = keras.Input((8, 8, 1))
    assert adapt(keras.Model(images, scaling()(255 * images + 0)), DATA).notes == ()
    two = two_outputs()
    assert adapt(keras.Model(two.inputs[0], two.outputs[0]), DATA).notes == ()

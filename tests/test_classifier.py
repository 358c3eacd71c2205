"""Every kind of model gives its true logits, and every kind of wrong input a clear error."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier, run_in_batches
from tfinv.errors import UserError
from tfinv.importing import load_classifier
from tfinv.probing import probe_bounds

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SHAPE = (6, 6, 2)
CLASSES = 4
IMAGES = np.random.default_rng(1).uniform(size=(11, *SHAPE)).astype(np.float32)
LABELS = np.arange(11) % CLASSES


def dense(**options):
    return keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.RandomNormal(stddev=2, seed=3), **options)


def body():
    return [
        keras.layers.Conv2D(3, 3, activation="relu", name="first"),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(5, 3, name="last"),
        keras.layers.ReLU(name="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.GlobalAveragePooling2D(name="pool"),
    ]


def sequential(*head):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(SHAPE), *body(), *head])


def residual(*head):
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(5, 3, name="main1", padding="same")(x)
    x = keras.layers.Conv2D(5, 3, name="main2", padding="same")(x)
    x = keras.layers.Add()([x, keras.layers.Conv2D(5, 1, name="shortcut")(inputs)])
    x = keras.layers.Flatten()(x)
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x)


def nested():
    """The head is a model of its own, which is used twice over the body's life."""
    head = keras.Sequential([keras.Input((5,)), dense(), keras.layers.Softmax()])
    head(keras.Input((5,)))
    return sequential(head)


class Subclassed(keras.Model):
    def __init__(self, activation, closed=False):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.parts = [*body(), dense(activation=activation)]
        self.closed = closed

    def call(self, x, training=None):
        if self.closed:  # TensorFlow refuses symbolic tensors, so the graph cannot be traced
            x = tf.identity(x)
        for layer in self.parts:
            x = layer(x, training=training) if "training" in layer._call_signature.parameters else layer(x)
        return x


def subclassed(activation=None, closed=False):
    model = Subclassed(activation, closed)
    model(IMAGES)
    return model


def half():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return sequential(dense(), keras.layers.Activation("softmax", dtype="float32"))
    finally:
        keras.config.set_dtype_policy("float32")


CUT = "softmax of the last layer cut off"
LAYER = "softmax layer cut off"
LOG = "log of the probabilities: gradients vanish where they saturate"
TAKEN = "outputs taken for logits, since their rows do not sum to one"
KINDS = {
    "linear": (lambda: sequential(dense()), "linear head"),
    "softmax activation": (lambda: sequential(dense(activation="softmax")), CUT),
    "softmax layer": (lambda: sequential(dense(), keras.layers.Softmax()), LAYER),
    "activation layer": (lambda: sequential(dense(), keras.layers.Activation("softmax")), LAYER),
    "softmax, then float32": (
        lambda: sequential(dense(activation="softmax"), keras.layers.Activation("linear", dtype="float32")),
        CUT,
    ),
    "functional": (lambda: residual(dense(activation="softmax")), CUT),
    "softmax operation": (lambda: residual(dense(), keras.ops.softmax), LAYER),
    "nested": (nested, "softmax layer cut off (in a nested model)"),
    "subclassed, linear": (subclassed, "linear head"),
    "subclassed, softmax": (lambda: subclassed("softmax"), CUT),
    "closed, linear": (lambda: subclassed(None, True), TAKEN),
    "closed, softmax": (lambda: subclassed("softmax", True), LOG),
    "mixed_bfloat16": (half, LAYER),
}


@pytest.fixture(params=KINDS, scope="module")
def case(request):
    make, source = KINDS[request.param]
    model = make()
    # Statistics unlike the initial ones, so that a use of training mode would show.
    for weight in model.non_trainable_weights:
        if weight.path.endswith(("moving_mean", "moving_variance")):
            weight.assign(np.linspace(0.5, 1.5, weight.shape[0]))
    return model, Classifier.from_keras(model), source


def assert_same_logits(logits, outputs, atol=2e-5):
    """Equal up to a constant a row, whether `outputs` are logits or probabilities."""
    outputs = np.asarray(outputs, np.float64)
    true = np.log(outputs) if np.allclose(outputs.sum(-1), 1, atol=1e-4) else outputs
    difference = logits - true
    np.testing.assert_allclose(difference - difference.mean(-1, keepdims=True), 0, atol=atol)


def test_logits_are_true(case):
    model, classifier, source = case
    before = [weight.numpy() for weight in model.weights]
    config = None if isinstance(model, Subclassed) else json.dumps(model.get_config())
    logits = classifier.predict(IMAGES, batch_size=4)
    assert classifier.logits_source == source
    assert (classifier.num_classes, classifier.input_shape, classifier.differentiable) == (CLASSES, SHAPE, True)
    assert logits.dtype == np.float32
    assert logits.shape == (11, CLASSES)
    half_precision = getattr(model.layers[0], "compute_dtype", "") == "bfloat16"
    assert_same_logits(logits, model(IMAGES, training=False), atol=0.05 if half_precision else 2e-5)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    if config:
        assert json.dumps(model.get_config()) == config


def test_predict_is_independent_of_batch_size(case):
    whole = case[1].predict(IMAGES)
    for size in (1, 4, 11, 256):
        np.testing.assert_allclose(case[1].predict(IMAGES, size), whole, rtol=1e-5, atol=1e-5)


def test_predict_traces_once(case):
    for size in (2, 3, 5):
        case[1].predict(IMAGES, size)
    assert case[1].compiled_logits.experimental_get_tracing_count() == 1


def test_features(case):
    model, classifier, _ = case
    if classifier.logits_source in (TAKEN, LOG):
        with pytest.raises(UserError, match="layers cannot be seen"):
            classifier.features(IMAGES)
        return
    pooled, maps = classifier.features(IMAGES), classifier.features(IMAGES, pooled=False)
    assert pooled.shape == (11, 5)
    assert maps.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_mean(maps, (1, 2)), pooled, rtol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "softmax activation", "softmax layer", "functional", "nested"])
def test_gradient_survives_saturation(kind):
    model = KINDS[kind][0]()
    kernel = [w for w in model.weights if w.path.endswith("kernel")][-1]
    kernel.assign(kernel * 3000)
    classifier = Classifier.from_keras(model)
    x = tf.constant(IMAGES)

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = classifier.logits(x)
            top = tf.math.top_k(logits, 2).values
            margin = top[:, 0] - top[:, 1]
        return margin, tape.gradient(margin, x)

    margin, slope = gradient(x)
    assert np.median(margin) > 30
    assert np.isfinite(slope).all()
    assert (np.abs(slope).max(axis=(1, 2, 3)) > 1).all()


def test_feature_choices():
    model = residual(dense())
    main = keras.Model(model.inputs[0], model.get_layer("main2").output)
    np.testing.assert_array_equal(Classifier.from_keras(model).features(IMAGES, pooled=False), main(IMAGES))
    named = Classifier.from_keras(sequential(dense()), features_layer="relu")
    assert named.features(IMAGES, pooled=False).shape == (11, 2, 2, 5)
    assert np.min(named.features(IMAGES)) >= 0
    flat = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(7), dense(), keras.layers.Softmax()]
    )
    assert Classifier.from_keras(flat).features(IMAGES).shape == (11, 7)
    inner = keras.Sequential([keras.Input(SHAPE), *body()[:3]])
    outer = keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Flatten(), dense()])
    assert Classifier.from_keras(outer).features(IMAGES).shape == (11, 5)
    assert Classifier.from_keras(outer, features_layer="first").features(IMAGES).shape == (11, 3)
    with pytest.raises(UserError, match=r"name of a layer: .*first.* Received: nothing"):
        Classifier.from_keras(outer, features_layer="nothing")


def test_keras_models_of_odd_structure():
    inputs = keras.Input(SHAPE, name="image")
    outputs = dense(activation="softmax")(keras.layers.Flatten()(inputs))
    for model in (
        keras.Model({"image": inputs}, {"scores": outputs}),
        keras.Model([inputs], [outputs]),
        keras.Model(inputs, outputs),
    ):
        classifier = Classifier.from_keras(model)
        assert classifier.logits_source == CUT
        assert_same_logits(classifier.predict(IMAGES), keras.Model(inputs, outputs)(IMAGES))


def test_deferred_sequential():
    model = keras.Sequential([keras.layers.Flatten(), dense(activation="softmax")])
    model(IMAGES[:3])
    classifier = Classifier.from_keras(model)
    assert_same_logits(classifier.predict(IMAGES, 4), model(IMAGES))


def test_activation_in_the_middle_of_a_layer_is_not_cut():
    class Odd(keras.layers.Dense):
        def call(self, x):
            return super().call(x) * 2.0

    classifier = Classifier.from_keras(sequential(Odd(CLASSES, activation="softmax")))
    assert classifier.logits_source == TAKEN


def test_outputs_override():
    model = sequential(dense(activation="softmax"))
    declared = Classifier.from_keras(model, outputs="logits")
    assert declared.logits_source == "outputs declared to be logits, though they look like probabilities"
    np.testing.assert_allclose(declared.predict(IMAGES), model(IMAGES), rtol=1e-6)
    assert Classifier.from_keras(model, outputs="probabilities").logits_source == CUT
    with pytest.raises(UserError, match="probabilities, which sum to one"):
        Classifier.from_keras(sequential(dense()), outputs="probabilities")
    with pytest.raises(UserError, match="Change outputs="):
        Classifier.from_keras(model, outputs="scores")


def two_outputs():
    model = sequential(dense())
    return keras.Model(model.inputs, [model.outputs[0], model.outputs[0]])


def two_inputs():
    a, b = keras.Input(SHAPE), keras.Input(SHAPE)
    return keras.Model([a, b], dense()(keras.layers.Flatten()(keras.layers.Add()([a, b]))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sequential(keras.layers.Dense(1)), "at least two classes"),
        (lambda: sequential(dense(activation="sigmoid")), "sigmoid"),
        (lambda: sequential(dense(), keras.layers.Activation("sigmoid")), "sigmoid"),
        (two_outputs, "one output. Received: one with 2"),
        (two_inputs, "one input. Received: one with 2"),
        (lambda: keras.Sequential([keras.Input((5,)), dense()]), "a model of images"),
        (lambda: keras.Sequential([keras.Input((None, None, 1)), *body(), dense()]), "all but the batch fixed"),
        (lambda: keras.Sequential([keras.Input(SHAPE), dense()]), "one row of scores an image"),
        (lambda: Subclassed(None), "a built model"),
        (lambda: keras.Sequential([dense()]), "a built model"),
        (lambda: np.argmax, "a Keras model"),
    ],
)
def test_refused_models(make, message):
    with pytest.raises(UserError, match=message):
        Classifier.from_keras(make())


def linear(x):
    return tf.reshape(x, (-1, 72)) @ tf.constant(np.linspace(-1, 1, 288, dtype=np.float32).reshape(72, 4))


FACTS = {"input_shape": SHAPE, "num_classes": CLASSES}


def test_callable():
    classifier = Classifier.from_callable(linear, **FACTS, outputs="logits", features=lambda x: x)
    np.testing.assert_allclose(classifier.predict(IMAGES, 4), linear(IMAGES), rtol=1e-4, atol=1e-5)
    assert classifier.differentiable
    assert classifier.features(IMAGES).shape == (11, 2)
    probabilities = Classifier.from_callable(lambda x: tf.nn.softmax(linear(x)), **FACTS, outputs="probabilities")
    assert probabilities.logits_source == LOG
    assert_same_logits(probabilities.predict(IMAGES), linear(IMAGES))


def test_underflown_probabilities_stay_finite():
    def certain(x):
        return tf.nn.softmax(1e4 * linear(x))

    classifier = Classifier.from_callable(certain, **FACTS, outputs="probabilities")
    assert np.isfinite(classifier.predict(IMAGES)).all()


def test_predict_function():
    classifier = Classifier.from_predict(lambda x: np.asarray(linear(x), np.float64), **FACTS, outputs="logits")
    assert not classifier.differentiable
    np.testing.assert_allclose(classifier.predict(IMAGES, 4), linear(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": None}, "Say what the function gives"),
        ({"outputs": "logits", "num_classes": 5}, "outputs for 5 classes. Received: 4 columns"),
        ({"outputs": "probabilities"}, "sum to one"),
        ({"outputs": "logits", "input_shape": (6, 6)}, "fixed height"),
        ({"outputs": "logits", "input_shape": (5, 6, 2)}, "Received: InvalidArgumentError"),
        ({"outputs": "logits", "bounds": (1, 0)}, "the lower one first"),
        ({"outputs": "logits", "bounds": (0, float("inf"))}, "the lower one first"),
    ],
)
def test_refused_callables(arguments, message):
    with pytest.raises(UserError, match=message):
        Classifier.from_callable(linear, **(FACTS | arguments))


def test_callables_without_gradient():
    def stopped(x):
        return tf.stop_gradient(linear(x))

    with pytest.raises(UserError, match="differentiable=False"):
        Classifier.from_callable(stopped, **FACTS, outputs="logits")
    assert not Classifier.from_callable(stopped, **FACTS, outputs="logits", differentiable=False).differentiable
    with pytest.raises(UserError, match="num_classes"):
        Classifier.from_predict(lambda x: np.zeros((len(x), 3)), **FACTS, outputs="logits")


CLASSIFIER = Classifier.from_callable(linear, **FACTS, outputs="logits")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES * np.float32(np.nan), "finite pixels. Received: NaN or infinity in 11 images, first in image 0"),
        (np.where(IMAGES > 0.5, np.inf, IMAGES), "finite"),
        (IMAGES * 255, r"within the bounds \[0, 1\].*--bounds"),
        (IMAGES - 0.5, "within the bounds"),
        (IMAGES[0], "Add a batch axis"),
        (IMAGES[..., 0], r"shape \(11, 6, 6\)"),
        (np.moveaxis(IMAGES, -1, 1), "np.moveaxis"),
        (IMAGES[:0], "at least one image"),
        (IMAGES > 0.5, "real number type. Received: bool"),
        (IMAGES.astype(str), "real number type"),
        (IMAGES.astype(complex), "real number type"),
        ([[1], [1, 2]], "an array of images"),
        (None, "real number type. Received: object"),
    ],
)
def test_refused_images(images, message):
    with pytest.raises(UserError, match=message):
        CLASSIFIER.predict(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, "labels from 0 to 3. Received: labels from 1 to 4"),
        (LABELS - 1, "labels from -1 to 2"),
        (LABELS.astype(float), "integer labels"),
        (LABELS[:5], "5 labels for 11 images"),
        (np.eye(4)[LABELS], "argmax"),
        (np.zeros((11, 2, 2), int), "shape"),
    ],
)
def test_refused_labels(labels, message):
    with pytest.raises(UserError, match=message):
        CLASSIFIER.validate(IMAGES, labels)


def test_accepted_inputs():
    images, labels = CLASSIFIER.validate(tf.constant(IMAGES, tf.bfloat16), LABELS[:, None].astype(np.uint8))
    assert (images.dtype, labels.dtype, labels.shape) == (np.float32, np.int64, (11,))
    assert CLASSIFIER.validate(np.ones((1, *SHAPE), np.uint8))[1] is None
    predicted = CLASSIFIER.predict(IMAGES).argmax(-1)
    assert CLASSIFIER.accuracy(IMAGES, predicted, batch_size=3) == 1.0
    assert CLASSIFIER.accuracy(IMAGES, (predicted + (np.arange(11) < 1)) % 4) == pytest.approx(10 / 11)
    with pytest.raises(UserError, match="positive batch size"):
        CLASSIFIER.predict(IMAGES, 0)


def test_run_in_batches_pads_to_one_shape():
    shapes = []

    def fn(x):
        shapes.append(tuple(x.shape))
        return x

    np.testing.assert_array_equal(run_in_batches(fn, IMAGES, 4), IMAGES)
    assert shapes == [(4, *SHAPE)] * 3


@pytest.mark.parametrize("bounds", [(0, 255), (-1, 1), (-2.117904, 2.64), (0.1, 0.7)])
def test_units(bounds):
    classifier = Classifier.from_callable(linear, **FACTS, bounds=bounds, outputs="logits")
    scaled = classifier.from_unit(np.concatenate([IMAGES, np.zeros_like(IMAGES), np.ones_like(IMAGES)]))
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (np.float32(bounds[0]), np.float32(bounds[1]))
    np.testing.assert_allclose(classifier.to_unit(scaled)[:11], IMAGES, atol=1e-6)
    classifier.validate(scaled)


def test_probe_bounds():
    """The model tells brightness apart, and expects 0..255."""
    levels = (np.arange(40) % 4 + 0.5) / 4
    images = np.tile(levels[:, None, None, None], (1, *SHAPE)).astype(np.float32)
    labels = np.arange(40) % 4

    def nearest(x):
        return -tf.abs(tf.reduce_mean(x, (1, 2, 3))[:, None] / 255 - tf.constant([[0.125, 0.375, 0.625, 0.875]]))

    wrong = Classifier.from_callable(nearest, **FACTS, outputs="logits")
    assert probe_bounds(wrong, images, labels) == (
        "Accuracy is 25.0% in the declared bounds (0, 1) but 100.0% in (0, 255): "
        "pass bounds=(0, 255) or --bounds=0,255."
    )
    right = Classifier.from_callable(nearest, **FACTS, bounds=(0, 255), outputs="logits")
    assert probe_bounds(right, images, labels) is None
    untrained = Classifier.from_callable(linear, **FACTS, outputs="logits")
    assert probe_bounds(untrained, images, np.random.default_rng(0).permutation(labels)) is None


@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_files_give_the_same_logits(suffix, activation, tmp_path, capfd):
    model = sequential(dense(activation=activation))
    path = tmp_path / f"model{suffix}"
    if suffix == ".h5":
        with pytest.MonkeyPatch.context() as patch:  # absl's advice against the format is no concern of this test
            patch.setattr("absl.logging.warning", lambda *_: None)
            model.save(path)
    elif suffix:
        model.save(path)
    else:
        model.export(path, verbose=False)
    capfd.readouterr()
    classifier = load_classifier(path)
    assert capfd.readouterr() == ("", "")
    assert classifier.differentiable
    expected_source = (CUT if activation else "linear head") if suffix else (LOG if activation else TAKEN)
    assert classifier.logits_source == expected_source
    assert_same_logits(classifier.predict(IMAGES, 4), model(IMAGES))

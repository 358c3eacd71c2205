"""Forms of the output: what turns the last layer into logits."""

import keras
import numpy as np
from keras import layers, ops

from zoo import Built, Form

SHAPE = (8, 8, 3)
READ = "Its output is taken for the log-odds z: the logits are (0, z)."


def body():
    return [layers.Conv2D(6, 3, activation="tanh"), layers.GlobalAveragePooling2D()]


def network(*last, shape=SHAPE):
    """A small convolutional network with random weights that ends in these layers."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *body(), *last])


def dense(units, **options):
    """A last layer whose logits are well apart."""
    return layers.Dense(units, kernel_initializer=keras.initializers.RandomNormal(stddev=3.0, seed=2), **options)


def images(shape=SHAPE, count=5):
    """Uniform noise in [0, 1]."""
    return np.random.default_rng(1).uniform(size=(count, *shape)).astype(np.float32)


def saved(folder, model, logits, x=None):
    """Saves a model as its owner would; `logits` makes them of the model's outputs."""
    x = images(model.input_shape[1:]) if x is None else x
    model.save(folder / "model.keras")
    return Built(folder / "model.keras", x, logits(model.predict(x, verbose=0)))


def exported(folder, model, logits, x=None):
    """Exports a model as a SavedModel."""
    x = images(model.input_shape[1:]) if x is None else x
    model.export(folder / "model", verbose=False)
    return Built(folder / "model", x, logits(model.predict(x, verbose=0)))


def refused(folder, model):
    model.save(folder / "model.keras")
    return Built(folder / "model.keras", images(), None)


def rows(outputs):
    return outputs.reshape(len(outputs), -1)


def of_softmax(p):
    return np.log(rows(p))


def of_sigmoids(p):
    """The log-odds of each."""
    p = rows(p).astype(np.float64)
    return np.log(p) - np.log1p(-p)


def of_unit(p):
    return of_logit(of_sigmoids(p))


def of_logit(z):
    z = rows(z)
    return np.concatenate([np.zeros_like(z), z], axis=1)


def functional(last, shape=SHAPE):
    """A network whose pooled features go through a function of Keras tensors."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = inputs
    for layer in body():
        x = layer(x)
    return keras.Model(inputs, last(x))


def within(models, layer, units=6):
    """A layer in so many nested models."""
    for _ in range(models):
        layer = keras.Sequential([keras.Input((units,)), layer])
    return layer


def formula(x):
    return 1.0 / (1.0 + ops.exp(-dense(1)(x)))


def two_heads(x):
    return [dense(4, activation="softmax", name="kind")(x), layers.Dense(2, name="place")(x)]


def by_name(x):
    kind, place = two_heads(x)
    return {"place": place, "kind": kind}


def kind_of(outputs):
    return of_softmax(outputs["kind"] if isinstance(outputs, dict) else outputs[0])


def softmax(folder):
    return saved(folder, network(layers.Dense(4, activation="softmax")), of_softmax)


def on(make, *last, truth):
    """A form's builder: a network that ends in these layers, made anew each time."""

    def build(folder):
        return make(folder, network(*(layer() for layer in last)), truth)

    return build


def through(make, last, truth):
    def build(folder):
        return make(folder, functional(last), truth)

    return build


def refusing(model):
    return lambda folder: refused(folder, model())


def head(name, does, build, arguments=None, flags="", **options):
    return Form("Heads", name, does, build, arguments or {}, flags, **options)


def activation(name):
    return lambda: layers.Activation(name)


def unit(**options):
    return lambda: dense(1, **options)


def classes(count=4, **options):
    return lambda: dense(count, **options)


CUT = "It is cut off, and the logits are (0, z)."
FORMS = [
    head("a softmax at the end", "It is cut off: the logits are those before it.", softmax, command=True),
    head("one unit with a sigmoid", CUT, on(saved, unit(activation="sigmoid"), truth=of_unit)),
    head(
        "one unit and a sigmoid as a layer, in a nested model",
        CUT,
        on(saved, lambda: within(1, unit()()), lambda: within(2, layers.Activation("sigmoid"), 1), truth=of_unit),
    ),
    head("one unit and keras.ops.sigmoid", CUT, through(saved, lambda x: ops.sigmoid(dense(1)(x)), of_unit)),
    head("one linear unit", READ, on(saved, unit(), truth=of_logit)),
    head(
        "one unit with a threshold of its own",
        "Its log-odds are taken off: the logits are (0, z - log(t / (1 - t))).",
        on(saved, unit(activation="sigmoid"), truth=lambda p: of_logit(of_sigmoids(p) - np.log(0.8 / 0.2))),
        {"threshold": 0.8},
        "--threshold=.8",
    ),
    head(
        "one unit with tanh",
        "It is cut off, and the logits are (0, 2 z), as of a sigmoid.",
        on(saved, unit(activation="tanh"), truth=lambda y: of_unit((1 + y.astype(np.float64)) / 2)),
    ),
    head(
        "one unit with hard_sigmoid",
        "The logits are (0, z) with its log-odds z: gradients vanish where it saturates.",
        on(saved, lambda: layers.Dense(1, activation="hard_sigmoid"), truth=of_unit),
    ),
    head(
        "one unit and 1 / (1 + exp(-z)) written out",
        "The logits are (0, z) with its log-odds z: gradients vanish where it saturates.",
        through(saved, formula, of_unit),
    ),
    head(
        "one unit with a sigmoid, as a SavedModel",
        "The logits are (0, z) with its log-odds z: gradients vanish where it saturates. The .keras file is better.",
        on(exported, unit(activation="sigmoid"), truth=of_unit),
    ),
    head(
        "one linear unit, as a SavedModel",
        READ,
        on(exported, unit(), truth=of_logit),
    ),
    head(
        "a sigmoid a class",
        "It is cut off: the largest logit decides.",
        on(saved, classes(activation="sigmoid"), truth=of_sigmoids),
    ),
    head(
        "a sigmoid a class, as a SavedModel",
        "Log-odds of each: gradients vanish where they saturate.",
        on(exported, classes(activation="sigmoid"), truth=of_sigmoids),
        {"outputs": "probabilities"},
        "--outputs=probabilities",
    ),
    head(
        "tanh a class",
        "It is cut off: the largest logit decides.",
        on(saved, classes(activation="tanh"), truth=lambda y: np.arctanh(y.astype(np.float64))),
    ),
    head("a log-softmax", "Its outputs are logits.", on(saved, classes(activation="log_softmax"), truth=rows)),
    head(
        "a softmax with a temperature",
        "The softmax is cut off; the temperature stays.",
        on(saved, classes(), lambda: layers.Rescaling(1 / 20), layers.Softmax, truth=of_softmax),
    ),
    head(
        "a softmax three nested models deep",
        "It is cut off in there.",
        on(saved, lambda: within(3, dense(4, activation="softmax")), truth=of_softmax),
    ),
    head(
        "keras.ops.softmax divided by a temperature inside",
        "It is cut off; the temperature stays.",
        through(saved, lambda x: ops.softmax(dense(4)(x) / 5.0, axis=-1), of_softmax),
    ),
    head(
        "a softmax before dropout, reshapes and casts",
        "It is cut off from behind them.",
        on(
            saved,
            classes(activation="softmax"),
            lambda: layers.Dropout(0.5),
            lambda: layers.Reshape((1, 4)),
            layers.Flatten,
            layers.Identity,
            activation("linear"),
            truth=of_softmax,
        ),
    ),
    head(
        "a softmax of shape (1, 1, classes), as of a 1 x 1 convolution",
        "Axes of size 1 are left out.",
        on(
            saved,
            lambda: layers.Reshape((1, 1, 6)),
            lambda: layers.Conv2D(4, 1, activation="softmax"),
            truth=of_softmax,
        ),
    ),
    head(
        "scores of shape (classes, 1)",
        "Axes of size 1 are left out.",
        on(saved, classes(activation="softmax"), lambda: layers.Reshape((4, 1)), truth=of_softmax),
    ),
    head("two columns of a softmax", "It is cut off.", on(saved, classes(2, activation="softmax"), truth=of_softmax)),
    head(
        "two outputs",
        "The one that is named counts.",
        through(saved, two_heads, kind_of),
        {"output": "kind"},
        "--output=kind",
    ),
    head(
        "a dictionary of outputs",
        "The one that is named counts, or numbered in the order of the error that lists them.",
        through(saved, by_name, kind_of),
        {"output": 0},
        "--output=0",
    ),
    head(
        "a SavedModel of several outputs",
        "The one that is named counts.",
        through(exported, by_name, kind_of),
        {"output": "kind"},
        "--output=kind",
    ),
    head(
        "two outputs, none named",
        "Refused with a list of them.",
        refusing(lambda: functional(two_heads)),
        refusal="kind of shape (None, 4), place of shape (None, 2). Pass --output=NAME",
    ),
    head(
        "a threshold for several classes",
        "Refused: it belongs to a model of one unit.",
        refusing(lambda: network(dense(4, activation="softmax"))),
        {"threshold": 0.4},
        "--threshold=.4",
        refusal="Leave out --threshold",
    ),
    head(
        "a probability declared to be a logit",
        "Refused: no image would be of class 0.",
        refusing(lambda: network(dense(1, activation="sigmoid"))),
        {"outputs": "logits"},
        "--outputs=logits",
        refusal="Leave out outputs= or --outputs",
    ),
    head(
        "the number of a class, by argmax",
        "Refused: there are no scores to follow. End the model before its argmax.",
        refusing(lambda: functional(lambda x: ops.argmax(dense(4)(x), axis=-1))),
        refusal="keras.Model(model.inputs, scores), where scores is what argmax takes",
    ),
    head(
        "a map of scores, as of a segmentation",
        "Refused, with the layer that averages it: an image has no one class.",
        refusing(lambda: keras.Sequential([keras.Input(SHAPE), layers.Conv2D(4, 1, activation="softmax")])),
        refusal="keras.Sequential([model, keras.layers.GlobalAveragePooling2D()])",
    ),
]

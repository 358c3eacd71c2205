"""Forms of SavedModels: folders of Keras 2 and 3, of TensorFlow 1 and 2, with signatures of all sorts."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from zoo import Built, Form

SHAPE, CLASSES = (8, 8, 3), 4
WHOLE = {"bounds": (0, 255)}


def images(count=5, low=0, high=1):
    """Uniform noise."""
    return np.random.default_rng(1).uniform(low, high, (count, *SHAPE)).astype(np.float32)


def network(framework=keras, shape=SHAPE, **options):
    """A small convolutional network of Keras 3, or of Keras 2."""
    framework.utils.set_random_seed(0)
    layers = framework.layers
    return framework.Sequential(
        [
            framework.Input(shape, **options),
            layers.Conv2D(6, 3, activation="tanh"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def keras_2(folder):
    import tf_keras

    model = network(tf_keras)
    optimizer = tf_keras.optimizers.legacy.Adam()
    model.compile(optimizer, tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images(), np.arange(5) % CLASSES, verbose=0)  # which gives the optimizer its slots
    model.save(folder / "model", save_format="tf")
    return Built(folder / "model", images(), model.predict(images(), verbose=0))


def exported(folder):
    model = network()
    model.export(folder / "model", verbose=False)
    return Built(folder / "model", images(), model.predict(images(), verbose=0))


def two_outputs(folder):
    keras.utils.set_random_seed(0)
    x = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(x)
    model = keras.Model(x, {"age": keras.layers.Dense(3)(flat), "kind": keras.layers.Dense(CLASSES)(flat)})
    model.export(folder / "model", verbose=False)
    return Built(folder / "model", images(), model.predict(images(), verbose=0)["kind"])


def whole_numbers(folder):
    keras.utils.set_random_seed(0)
    x = keras.Input(SHAPE, dtype="uint8")
    y = keras.layers.Conv2D(6, 3, activation="tanh")(keras.layers.Rescaling(1 / 255)(x))
    model = keras.Model(x, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(y)))
    model.export(folder / "model", verbose=False)
    pixels = np.round(images(high=255))
    return Built(folder / "model", pixels, model.predict(pixels.astype(np.uint8), verbose=0))


class Program(tf.Module):
    """A network behind a function of one specification."""

    def __init__(self, spec, change=lambda x: x):
        super().__init__()
        self.network = network()
        self.serve = tf.function(self._call, input_signature=[spec])
        self.change = change

    def _call(self, x):
        x = tf.ensure_shape(self.change(x), (x.shape[0], *SHAPE))
        return {"scores": self.network(x, training=False)}


def saved(program, path, **signatures):
    """Writes a program, and computes its logits."""
    tf.saved_model.save(program, path, signatures=signatures or {"serving_default": program.serve})
    return Built(path, images(), program.network.predict(images(), verbose=0))


def fixed_batch(folder):
    return saved(Program(tf.TensorSpec((2, *SHAPE), tf.float32)), folder / "model")


def channels_first(folder):
    spec = tf.TensorSpec((None, 3, 8, 8), tf.float32)
    return saved(Program(spec, lambda x: tf.transpose(x, (0, 2, 3, 1))), folder / "model")


def flat(folder):
    spec = tf.TensorSpec((None, 192), tf.float32)
    return saved(Program(spec, lambda x: tf.reshape(x, (-1, *SHAPE))), folder / "model")


def another_signature(folder):
    program = Program(tf.TensorSpec((None, *SHAPE), tf.float32))
    return saved(program, folder / "model", classify=program.serve)


def tensorflow_1(folder, *, examples=False, both=False, resource=True):
    """A graph with placeholders, as estimators and scripts of TensorFlow 1 save them."""
    v1 = tf.compat.v1
    path = folder / "model"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, *SHAPE))
        texts = v1.placeholder(tf.string, (None,))
        parsed = tf.io.parse_example(texts, {"image": tf.io.FixedLenFeature(SHAPE, tf.float32)})["image"]
        filters = v1.get_variable("filters", initializer=_draw(3, 3, 3, 6), use_resource=resource)
        kernel = v1.get_variable("kernel", initializer=_draw(216, CLASSES), use_resource=resource)

        def scores(x):
            return tf.matmul(tf.reshape(tf.nn.tanh(tf.nn.conv2d(x, filters, 1, "VALID")), (-1, 216)), kernel)

        session.run(v1.global_variables_initializer())
        logits = session.run(scores(x), {x: images()})
        of_images = v1.saved_model.predict_signature_def({"images": x}, _outputs(scores(x)))
        of_examples = v1.saved_model.predict_signature_def({"examples": texts}, _outputs(scores(parsed)))
        signatures = {"serving_default": of_examples if examples else of_images}
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures | ({"predict": of_images} if both else {}), strip_default_attrs=True
        )
        builder.save()
    return Built(path, images(), logits)


def _draw(*shape):
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def _outputs(scores):
    return {"scores": scores, "class_ids": tf.argmax(scores, 1)}


def compiled_by_jax(folder):
    """With the operation in which jax2tf stores a whole program; what it holds is never looked at."""

    def call(x):
        return gen_xla_ops.xla_call_module(
            args=[x], version=9, module=b"", Sout=[(None, CLASSES)], Tout=[tf.float32], platforms=["CPU"]
        )[0]

    program = Program(tf.TensorSpec((None, *SHAPE), tf.float32))
    program.serve = tf.function(
        lambda x: {"scores": call(x)}, input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32)]
    )
    tf.saved_model.save(program, folder / "model", signatures={"serving_default": program.serve})
    return Built(folder / "model", images(), None)


def refused(build):
    def built(folder):
        result = build(folder)
        return Built(result.path, result.images, None)

    return built


FORMS = [
    Form(
        "SavedModels",
        "Keras 2's model.save('folder'), with a trained optimizer",
        "Its serving function is called; the optimizer is left out.",
        keras_2,
        needs=("tf_keras",),
        command=True,
    ),
    Form("SavedModels", "model.export('folder') of Keras 3", "Its serving function is called.", exported),
    Form(
        "SavedModels",
        "several outputs",
        "The output that classifies is chosen by its name.",
        two_outputs,
        {"output": "kind"},
        "--output=kind",
    ),
    Form(
        "SavedModels",
        "pixels of uint8",
        "The same graph is fed floats behind its cast, so that gradients flow.",
        whole_numbers,
        WHOLE,
        "--bounds=0,255",
    ),
    Form("SavedModels", "a fixed batch size", "Images are given to it in such batches.", fixed_batch),
    Form("SavedModels", "channels first", "Images are turned in front of it.", channels_first),
    Form(
        "SavedModels",
        "flat images",
        "Square images are flattened, row by row; for others say the size.",
        flat,
    ),
    Form(
        "SavedModels",
        "no signature serving_default, but one of images",
        "That one is called, and a note says which.",
        another_signature,
    ),
    Form("SavedModels", "TensorFlow 1", "Its serving function is called.", tensorflow_1),
    Form(
        "SavedModels",
        "TensorFlow 1 with variables of old",
        "Its serving function is called.",
        lambda folder: tensorflow_1(folder, resource=False),
    ),
    Form(
        "SavedModels",
        "an estimator's, with signatures of examples and of images",
        "The one of images is called, and a note says which.",
        lambda folder: tensorflow_1(folder, examples=True, both=True),
    ),
    Form(
        "SavedModels",
        "an estimator's, of serialised examples alone",
        "Refused: no pixel can be changed through a serialised example.",
        refused(lambda folder: tensorflow_1(folder, examples=True)),
        refusal="Strings are files or serialised examples",
    ),
    Form(
        "SavedModels",
        "a compiled program of JAX",
        "Refused without --allow_unsafe_deserialization: what it runs can't be looked into.",
        compiled_by_jax,
        refusal="XlaCallModule, a compiled program such as JAX stores",
    ),
]

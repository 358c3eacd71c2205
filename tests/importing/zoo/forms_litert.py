"""Forms of .tflite files, with the scores that LiteRT gives when it is called directly."""

import contextlib
import io
import warnings
import zipfile

import flatbuffers
import keras
import numpy as np
import tensorflow as tf

from tests.importing.zoo.deployed_files import BLACK_BOX, CLASSES, LABELS, SHAPE, images, log, network
from zoo import Built, Form


def converted(model, batch=None, quantise=None):
    """The bytes of a .tflite file of a Keras model, or of a function of images; `quantise` changes the converter."""
    spec = tf.TensorSpec((batch, *SHAPE), tf.float32, name="images")
    function = tf.function(lambda images: model(images)).get_concrete_function(spec)
    # Without the model as its second argument, with which a Keras 3 model would lose its weights.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.representative_dataset = lambda: ([x[None]] for x in images(20))
    (quantise or (lambda converter: setattr(converter, "representative_dataset", None)))(converter)
    with warnings.catch_warnings(action="ignore"):  # about statistics that converters needed once
        return converter.convert()


def interpreted(content, x, output=0):
    """The scores of a .tflite file, one image at a time, by LiteRT itself."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[output]
    rows = []
    for image in x:
        if first["quantization"][0]:
            scale, zero = first["quantization"]
            limits, levels = np.iinfo(first["dtype"]), image / np.float32(scale)
            # Halves away from zero, as LiteRT's own operation: an attack may well end on one.
            levels = np.trunc(levels + np.copysign(np.float32(0.5), levels)) + zero
            image = np.clip(levels, limits.min, limits.max)
        interpreter.set_tensor(first["index"], image[None].astype(first["dtype"]))
        interpreter.invoke()
        row = interpreter.get_tensor(last["index"])[0].astype(np.float64)
        scale, zero = last["quantization"]
        rows.append((row - zero) * scale if scale else row)
    return np.array(rows)


def tflite(folder, content, x, scores=log, output=0):
    (folder / "model.tflite").write_bytes(content)
    return Built(folder / "model.tflite", x, scores(interpreted(content, x, output)))


def float_tflite(folder):
    model = network()
    built = tflite(folder, converted(model), images())
    np.testing.assert_allclose(built.logits, np.log(model.predict(images(), verbose=0)), atol=1e-4)
    return built


def float16_tflite(folder):
    def quantise(converter):
        dynamic(converter)
        converter.target_spec.supported_types = [tf.float16]

    return tflite(folder, converted(network(keras.layers.Dense(CLASSES)), quantise=quantise), images(), np.asarray)


def dynamic(converter):
    converter.representative_dataset = None
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def dynamic_tflite(folder):
    model = network(keras.layers.Dense(64, activation="relu"), keras.layers.Dense(CLASSES))
    return tflite(folder, converted(model, quantise=dynamic), images(), np.asarray)


def whole_numbers(dtype):
    def quantise(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype

    return lambda folder: tflite(folder, converted(network(), quantise=quantise), images())


def int16x8_tflite(folder):
    def quantise(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        operations = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [operations]
        converter.inference_input_type = converter.inference_output_type = tf.int16

    return tflite(folder, converted(network(), quantise=quantise), images())


def fixed_batch_tflite(folder):
    return tflite(folder, converted(network(batch=1), batch=1), images())


def sigmoid_tflite(folder):
    built = tflite(folder, converted(network(keras.layers.Dense(1, activation="sigmoid"))), images(), np.asarray)
    p = built.logits
    return Built(built.path, built.images, np.concatenate([np.zeros_like(p), np.log(p) - np.log1p(-p)], axis=1))


def sigmoid_a_class_tflite(folder):
    def log_odds(p):
        return np.log(p) - np.log1p(-p)

    content = converted(network(keras.layers.Dense(CLASSES, activation="sigmoid")))
    return tflite(folder, content, images(), log_odds)


def two_outputs_tflite(folder):
    inputs = keras.Input(SHAPE)
    scores = keras.layers.Dense(CLASSES, name="scores")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, {"colours": keras.layers.GlobalAveragePooling2D()(inputs), "scores": scores})
    with contextlib.redirect_stdout(io.StringIO()):
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    number = [interpreted(content, images(1), output).shape[1] for output in range(2)].index(CLASSES)
    return tflite(folder, content, images(), np.asarray, output=number)


def with_metadata(content, mean, std, labels=LABELS):
    """Adds TFLite Metadata with a normalisation of the input, and a file of labels."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(metadata(mean, std), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    file = io.BytesIO(bytes(builder.Output()))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "\n".join(labels))
    return file.getvalue()


def metadata(mean, std):
    """A ModelMetadata of one graph, whose input is normalised, and whose output has labels.txt on its axis."""
    builder = flatbuffers.Builder(0)

    def table(**slots):
        """A table with offsets, or with a number that is a pair of its type and value."""
        builder.StartObject(8)
        for slot, value in sorted((int(name[1:]), value) for name, value in slots.items()):
            if isinstance(value, tuple):
                getattr(builder, f"Prepend{value[0]}Slot")(slot, value[1], 0)
            else:
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        return builder.EndObject()

    def vector(*offsets):
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    mean, std = (builder.CreateNumpyVector(np.array(values, np.float32)) for values in (mean, std))
    unit = table(_0=("Uint8", 1), _1=table(_0=mean, _1=std))
    name = builder.CreateString("labels.txt")
    inputs = vector(table(_4=vector(unit)))
    outputs = vector(table(_6=vector(table(_0=name, _2=("Int8", 2)))))
    builder.Finish(table(_3=vector(table(_2=inputs, _3=outputs))), b"M001")
    return bytes(builder.Output())


def metadata_tflite(folder):
    content = with_metadata(converted(network()), [127.5], [127.5])
    x = images(largest=255.0)
    built = tflite(folder, content, (x - 127.5) / 127.5)
    return Built(built.path, x, built.logits)


def flex_tflite(folder):
    def quantise(converter):
        converter.representative_dataset = None
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]

    network_with_erf = network(keras.layers.Lambda(tf.math.erf), keras.layers.Dense(CLASSES))
    (folder / "model.tflite").write_bytes(converted(network_with_erf, quantise=quantise))
    return Built(folder / "model.tflite", images(), None)


def form(name, does, build, **options):
    return Form("Deployed models", name, does, build, gradients=False, needs=("ai_edge_litert",), **options)


FORMS = [
    form(
        "a .tflite file in float32",
        f"{BLACK_BOX}, run by LiteRT; the log of its probabilities.",
        float_tflite,
        command=True,
    ),
    form("a .tflite file with float16 weights", f"{BLACK_BOX}.", float16_tflite),
    form("a .tflite file with dynamic-range quantisation", f"{BLACK_BOX}.", dynamic_tflite),
    form(
        "a .tflite file in int8 with float input and output",
        f"{BLACK_BOX}; a note says how many levels images and scores have inside.",
        whole_numbers(tf.float32),
    ),
    form(
        "a .tflite file in int8",
        "Images are rounded by its scale and zero point, and scores read by theirs; a note says how many levels there are.",
        whole_numbers(tf.int8),
        command=True,
    ),
    form("a .tflite file in int8 with uint8 input and output", "As in int8.", whole_numbers(tf.uint8)),
    form("a .tflite file with int16 activations and int8 weights", "As in int8, of 65,536 levels.", int16x8_tflite),
    form("a .tflite file for one image at a time", "Images go through it one by one.", fixed_batch_tflite),
    form("a .tflite file of one sigmoid unit", "The log-odds of its probability.", sigmoid_tflite),
    form("a .tflite file of a sigmoid a class", "The log-odds of each.", sigmoid_a_class_tflite),
    form(
        "a .tflite file with several outputs",
        "--output says which one classifies.",
        two_outputs_tflite,
        arguments={"output": "scores"},
        flags="--output=scores",
    ),
    form(
        "a .tflite file with TFLite Metadata",
        "Its normalisation goes in front, and its labels name the classes.",
        metadata_tflite,
    ),
    form(
        "a .tflite file with TensorFlow operations (Flex)",
        "Refused: LiteRT doesn't have them.",
        flex_tflite,
        refusal="Convert it without tf.lite.OpsSet.SELECT_TF_OPS",
    ),
]

"""`.tflite` files: quantisation, batches, metadata, and refusals whose advice works."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.importing.zoo import forms_litert as forms
from tfinv.errors import UserError
from tfinv.importing import load_classifier
from tfinv.importing.deployed import black_box, litert
from tfinv.importing.loaded import ReadOptions


def int8(converter):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


@pytest.fixture(scope="module")
def contents():
    """Files by name."""
    return {
        "float": forms.converted(forms.network()),
        "int8": forms.converted(forms.network(), quantise=int8),
        "fixed": forms.converted(forms.network(batch=1), batch=1),
    }


@pytest.fixture
def written(tmp_path):
    """A function from the content of a file to its path."""

    def write(content, name="model.tflite"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["float", "int8", "fixed"])
def test_any_number_of_images_has_the_scores_of_single_ones(name, contents, written):
    classifier = load_classifier(written(contents[name]))
    x = forms.images(37)
    truth = forms.log(forms.interpreted(contents[name], x))
    for count in (1, 2, 37):
        logits = classifier.predict(x[:count], batch_size=19)
        moved = logits - logits.mean(1, keepdims=True)
        tolerance = 1e-6 if name == "int8" else 1e-5  # the integers are equal, and the kernels of real numbers nearly
        np.testing.assert_allclose(moved, (truth - truth.mean(1, keepdims=True))[:count], atol=tolerance)
    np.testing.assert_array_equal(classifier.predict(x), classifier.predict(x))


@pytest.mark.parametrize("name", ["float", "int8"])
def test_threads_change_nothing(name, contents, written, monkeypatch):
    results = []
    for count in (1, 2):
        monkeypatch.setattr(black_box, "threads", lambda count=count: count)
        results.append(load_classifier(written(contents[name])).predict(forms.images(9)))
    np.testing.assert_array_equal(*results)


def test_notes_say_what_rounding_does(contents, written):
    notes = load_classifier(written(contents["int8"])).notes
    assert notes[0].startswith("a .tflite file, run by LiteRT 2")
    assert notes[1] == "images are rounded to the 256 levels from 0 to 0.9998 of the model's int8 input"
    assert notes[2] == "probabilities of 256 levels: differences below one are lost, and ties are common"
    assert load_classifier(written(contents["float"])).notes[1:] == ()
    one_by_one = "images one at a time, since the file takes no other number"
    assert one_by_one in load_classifier(written(contents["fixed"])).notes


def test_a_perturbation_below_half_a_level_changes_nothing(contents, written):
    classifier = load_classifier(written(contents["int8"]))
    x = np.round(forms.images(3) * 254) / 255
    moved = x + np.float32(0.4 / 255)
    np.testing.assert_array_equal(classifier.predict(x), classifier.predict(moved))


@pytest.mark.parametrize(("low", "high", "bounds"), [(0, 255, (0, 255)), (-1, 1, (-1, 1)), (0, 3, (0, 1))])
def test_bounds_are_those_that_the_numbers_of_an_8_bit_input_stand_for(low, high, bounds, written):
    def quantise(converter):
        int8(converter)
        converter.representative_dataset = lambda: ([low + x[None] * (high - low)] for x in images)

    images = forms.images(20)
    images[0, 0, 0] = [0, 1, 0]
    path = written(forms.converted(forms.network(), quantise=quantise))
    assert load_classifier(path).bounds == bounds
    assert load_classifier(path, (0, 2)).bounds == (0, 2)


@pytest.mark.parametrize(
    ("mean", "std", "preprocessing", "bounds"),
    [
        ([127.5], [127.5], "mean=127.5,std=127.5", None),
        (
            [123.675, 116.28, 103.53],
            [58.395, 57.12, 57.375],
            "mean=123.675,116.28,103.53,std=58.395,57.12,57.375",
            None,
        ),
        ([0.0], [255.0], "divide=255", None),
        ([0.0], [1.0], None, (0.0, 255.0)),
        ([0.0], [0.0], None, None),  # no normalisation
    ],
)
def test_the_normalisation_of_the_metadata(mean, std, preprocessing, bounds, contents, written):
    loaded = litert.read(written(forms.with_metadata(contents["float"], mean, std)), ReadOptions())
    assert (loaded.preprocessing, loaded.bounds) == (preprocessing, bounds)
    assert loaded.class_names == forms.LABELS


def test_labels_of_another_number_are_not_used(contents, written):
    path = written(forms.with_metadata(contents["float"], [0.0], [255.0], labels=("background", *forms.LABELS)))
    classifier = load_classifier(path)
    assert classifier.class_names is None
    assert "the 5 names in the labels in the file are not those of the classes, and not used" in classifier.notes
    assert load_classifier(path, class_names="abcd").class_names == tuple("abcd")


def refusal(path):
    with pytest.raises(UserError) as error:
        load_classifier(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
def test_a_damaged_file_is_refused_and_converting_again_helps(part, contents, written):
    content = contents["float"]
    advice = "Convert it again: tf.lite.TFLiteConverter.from_keras_model(model).convert()."
    assert refusal(written(content[: int(part * len(content))])).endswith(advice)
    again = tf.lite.TFLiteConverter.from_keras_model(forms.network()).convert()
    assert load_classifier(written(again)).num_classes == forms.CLASSES


def test_damaged_metadata_is_no_traceback(contents, written):
    content = bytearray(forms.with_metadata(contents["float"], [127.5], [127.5]))
    place = content.index(b"M001") - 4  # the root of the metadata
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    assert "Expected a whole .tflite file" in refusal(written(bytes(content)))


def test_a_file_without_the_values_of_its_variables_is_refused(written):
    model = forms.network()
    spec = tf.TensorSpec((None, *forms.SHAPE), tf.float32)
    function = tf.function(lambda x: model(x)).get_concrete_function(spec)
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], model).convert()
    assert "reads variables that have no value. Convert it again" in refusal(written(content))


def test_operations_of_tensorflow_are_refused_and_without_them_it_comes_in(tmp_path, written):
    assert "with FlexErf, which need other libraries" in refusal(forms.flex_tflite(tmp_path).path)
    without = forms.network(keras.layers.Lambda(tf.math.tanh), keras.layers.Dense(forms.CLASSES))
    assert load_classifier(written(forms.converted(without))).num_classes == forms.CLASSES


def test_two_inputs_are_refused(written):
    first, second = keras.Input(forms.SHAPE), keras.Input((3,))
    scores = keras.layers.Dense(4)(keras.layers.Concatenate()([keras.layers.Flatten()(first), second]))
    content = tf.lite.TFLiteConverter.from_keras_model(keras.Model([first, second], scores)).convert()
    assert "with 2. Convert a model with one input." in refusal(written(content))


def test_a_size_that_may_vary_is_taken_from_image_size(written):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    path = written(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    assert "--image_size" in refusal(path)
    x = np.random.default_rng(0).uniform(size=(5, 12, 9, 3)).astype(np.float32)
    classifier = load_classifier(path, image_size=(12, 9))
    np.testing.assert_allclose(classifier.predict(x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.proof
def test_one_thread_between_operations_is_enough_and_nothing_is_printed(contents, written):
    code = (
        "import sys, numpy as np\nfrom tfinv import load_classifier\nfrom tfinv.attacks import Square\n"
        "c = load_classifier(sys.argv[1])\nx = np.full((3, *c.input_shape), 0.5, np.float32)\n"
        "Square(eps=.1, queries=3)(c, x, c.predict(x).argmax(1))"
    )
    threads = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    command = [sys.executable, "-c", code, str(written(contents["float"]))]
    done = subprocess.run(
        command, env={**os.environ, **threads}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

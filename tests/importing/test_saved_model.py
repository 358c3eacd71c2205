"""Untrusted SavedModels: operations with side effects are refused before they run."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_files import FLAG, SHAPE, refusal, small
from tfinv.attacks import Square
from tfinv.classifier.gradients import input_gradient
from tfinv.importing import load_classifier, saved_model
from tfinv.importing.loaded import ReadOptions


class Program(tf.Module):
    """A linear classifier whose served function has a side effect."""

    def __init__(self, effect):
        super().__init__()
        self.kernel = tf.Variable(tf.ones((16, 3)))
        self.effect = effect

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32, "x")])
    def serve(self, x):
        operation = self.effect(x)
        with tf.control_dependencies([] if operation is None else [operation]):
            return {"scores": tf.reshape(x, (-1, 16)) @ self.kernel}


def suspicious(path):
    return saved_model.suspicious_operations(saved_model.parse(path))


def write(program, path):
    tf.saved_model.save(program, path, signatures={"serving_default": program.serve})
    return path


EFFECTS = {
    "WriteFile": lambda marker: lambda x: tf.io.write_file(str(marker), "x"),
    "ReadFile": lambda marker: lambda x: tf.io.read_file(str(marker)),
    "PrintV2": lambda marker: lambda x: tf.print("x", output_stream=f"file://{marker}"),
    "MatchingFiles": lambda marker: lambda x: tf.io.matching_files(str(marker)),
    "SaveV2": lambda marker: (
        lambda x: tf.raw_ops.SaveV2(prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    ),
    "RestoreV2": lambda marker: (
        lambda x: tf.raw_ops.RestoreV2(
            prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
    ),
    "PyFunc": lambda marker: lambda x: tf.numpy_function(lambda x: x, [x], tf.float32),
    "EagerPyFunc": lambda marker: lambda x: tf.py_function(lambda x: x, [x], tf.float32),
    "ImmutableConst": lambda marker: (
        lambda x: tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=(1,), memory_region_name=str(marker))
    ),
    "TextLineDataset": lambda marker: lambda x: tf.data.TextLineDataset(str(marker)).reduce(0, lambda s, _: s),
}


@pytest.mark.parametrize("operation", EFFECTS)
def test_saved_model_with_effects_is_refused(operation, tmp_path, marker):
    effect = EFFECTS[operation](marker)
    # Inside a branch, so that a look at the served function alone would not find it.
    path = write(Program(lambda x: tf.cond(tf.shape(x)[0] > -1, lambda: [effect(x), 0][1], lambda: 0)), tmp_path / "m")
    message = refusal(path)
    assert operation in message
    assert FLAG in message
    assert not marker.exists()


def test_saved_model_with_effects_on_demand(tmp_path, marker):
    path = write(Program(EFFECTS["WriteFile"](marker)), tmp_path / "m")
    assert load_classifier(path, allow_unsafe_deserialization=True).num_classes == 3
    assert marker.exists()


def test_plain_saved_models(tmp_path):
    path = write(Program(lambda x: None), tmp_path / "m")
    assert suspicious(path) == []
    classifier = load_classifier(path)
    images = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(classifier.predict(images, 2), images.sum((1, 2, 3))[:, None].repeat(3, 1), rtol=1e-5)
    _, gradient = input_gradient(classifier.logits, tf.constant(images))
    np.testing.assert_array_equal(gradient, np.full_like(images, 3))


def test_exports_with_dropout_batch_norm_and_recurrence_are_plain(tmp_path):
    model = small(
        keras.layers.RandomFlip(), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5), keras.layers.Reshape((4, 2)), keras.layers.LSTM(3), keras.layers.Reshape((3, 1)),
    )  # fmt: skip
    model.export(tmp_path / "export", verbose=False)
    assert suspicious(tmp_path / "export") == []
    plain = keras.Sequential([keras.Input(SHAPE), *model.layers[1:3], *model.layers[4:]])
    tf.saved_model.save(plain, tmp_path / "saved")  # which does not save the seeds of random layers
    assert suspicious(tmp_path / "saved") == []


def test_the_advice_for_one_without_signatures_works(tmp_path):
    program = Program(lambda x: None)
    program.serve.get_concrete_function()
    tf.saved_model.save(program, tmp_path / "unsigned", signatures={})
    message = refusal(tmp_path / "unsigned")
    assert "tf.saved_model.save(module, folder, signatures=function)" in message
    assert "export" not in message
    tf.saved_model.save(program, tmp_path / "signed", signatures=program.serve)
    assert load_classifier(tmp_path / "signed").num_classes == 3


def test_the_advice_for_signatures_of_different_shapes_works(tmp_path):
    small_one, large_one = Program(lambda x: None), Program(lambda x: None)
    wide = tf.function(
        lambda x: large_one.serve(x[:, :4]), input_signature=[tf.TensorSpec((None, 8, 4, 1), tf.float32)]
    )
    module = tf.Module()
    module.both = [small_one, large_one]
    tf.saved_model.save(module, tmp_path / "both", signatures={"small": small_one.serve, "wide": wide})
    message = refusal(tmp_path / "both")
    assert "small of (4, 4, 1), wide of (8, 4, 1)" in message
    tf.saved_model.save(module, tmp_path / "one", signatures=wide)
    assert load_classifier(tmp_path / "one").input_shape == (8, 4, 1)


def test_outputs_of_several_signatures_are_named(tmp_path):
    program, other = Program(lambda x: None), Program(lambda x: None)
    other.kernel.assign(-other.kernel)
    module = tf.Module()
    module.both = [program, other]
    tf.saved_model.save(module, tmp_path, signatures={"bright": program.serve, "dark": other.serve})
    assert "bright.scores of shape (4, 3), dark.scores of shape (4, 3)" in refusal(tmp_path)
    classifier = load_classifier(tmp_path, output="dark.scores")
    images = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(classifier.predict(images)[:, 0], -images.sum((1, 2, 3)), rtol=1e-5)
    assert classifier.notes[0] == "signature bright and dark"


def notes_of(model, path):
    model.export(path, verbose=False)
    return saved_model.read(path, ReadOptions()).notes


def test_notes_say_what_an_export_left_on(tmp_path):
    layers = keras.layers
    draws = "it draws at random while it serves, as where augmentation was saved with it"
    learns = "it changes its variables while it serves, as batch norm in training does"
    assert notes_of(small(layers.RandomFlip()), tmp_path / "flip") == (draws,)
    assert notes_of(small(layers.RandomFlip(), layers.BatchNormalization()), tmp_path / "both") == (draws, learns)
    assert notes_of(small(layers.Dropout(0.5), layers.BatchNormalization()), tmp_path / "neither") == ()


def test_an_optimizer_of_keras_2_is_left_out_and_nothing_else_changes(tmp_path):
    """Its slots would be restored by a library that may not be there; here by hand, for that it is not needed to write them."""
    path = write(Program(lambda x: None), tmp_path / "m")
    model = saved_model.parse(path)
    nodes = model.meta_graphs[0].object_graph_def.nodes
    (kernel,) = (i for i, node in enumerate(nodes) if node.WhichOneof("kind") == "variable")
    optimizer, slot = nodes.add(), nodes.add()
    optimizer.user_object.identifier = "optimizer"
    optimizer.slot_variables.add(original_variable_node_id=kernel, slot_name="m", slot_variable_node_id=len(nodes) - 1)
    slot.variable.CopyFrom(nodes[kernel].variable)
    nodes[0].children.add(node_id=len(nodes) - 2, local_name="optimizer")
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    before = {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    images = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(load_classifier(path).predict(images)[:, 0], images.sum((1, 2, 3)), rtol=1e-5)
    assert {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def graph_of_tensorflow_1(path, prefix=None, before=None):
    """A SavedModel of TensorFlow 1, whose variable may be restored from elsewhere, or whose output may wait for an operation."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, *SHAPE))
        kernel = v1.get_variable("kernel", initializer=tf.ones((16, 3)))
        session.run(v1.global_variables_initializer())
        if prefix:
            restored = tf.raw_ops.RestoreV2(
                prefix=prefix, tensor_names=["kernel"], shape_and_slices=[""], dtypes=[tf.float32]
            )[0]
            v1.get_variable("other", initializer=tf.reshape(restored, (16, 3)))
        with tf.control_dependencies([before()] if before else []):
            scores = tf.reshape(x, (-1, 16)) @ kernel
        builder = v1.saved_model.Builder(str(path))
        signature = v1.saved_model.predict_signature_def({"images": x}, {"scores": scores})
        session.run(kernel.initializer)
        saver = v1.train.Saver([kernel])
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, saver=saver)
        builder.save()
    return path


def test_the_saver_of_tensorflow_1_is_no_side_effect(tmp_path):
    assert suspicious(graph_of_tensorflow_1(tmp_path / "plain")) == []
    assert load_classifier(tmp_path / "plain").num_classes == 3


def test_a_saver_that_runs_when_it_should_not_is_refused(tmp_path, marker):
    elsewhere = graph_of_tensorflow_1(tmp_path / "elsewhere", prefix=str(marker))
    assert "RestoreV2" in refusal(elsewhere)

    def saves():
        return tf.raw_ops.SaveV2(prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], tensors=[tf.ones(1)])

    assert "SaveV2" in refusal(graph_of_tensorflow_1(tmp_path / "saves", before=saves))
    assert not marker.exists()
    # Beside a second graph, the first is loaded as one of TensorFlow 1, whatever it holds.
    path = write(Program(EFFECTS["SaveV2"](marker)), tmp_path / "two")
    model = saved_model.parse(path)
    model.meta_graphs.add().CopyFrom(model.meta_graphs[0])
    assert "SaveV2" in saved_model.suspicious_operations(model)


def test_wrong_saved_models(tmp_path):
    broken = shutil.copytree(write(Program(lambda x: None), tmp_path / "m"), tmp_path / "broken")
    shutil.rmtree(broken / "variables")
    assert "a whole SavedModel" in refusal(broken)
    for content in (b"", b"hello", (tmp_path / "m" / "saved_model.pb").read_bytes()[:500]):
        (broken / "saved_model.pb").write_bytes(content)
        assert "a whole SavedModel" in refusal(broken)
    assert "--features_layer" in refusal(tmp_path / "m", features_layer="conv")


def test_a_saved_model_without_a_gradient_is_a_black_box(tmp_path):
    class Rounded(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8)])
        def serve(self, x):
            sums = tf.cast(tf.reduce_sum(tf.cast(x, tf.int32), [1, 2, 3]), tf.float32)
            return tf.stack([100.0 - sums, sums - 100.0], 1)

    rounded = Rounded()
    tf.saved_model.save(rounded, tmp_path, signatures={"serving_default": rounded.serve})
    classifier = load_classifier(tmp_path, bounds=(0, 255))
    assert not classifier.differentiable
    assert classifier.notes[0] == "pixels rounded to uint8, through which no gradient flows"
    bright = np.full((2, *SHAPE), 250, np.float32)
    assert classifier.predict(bright).argmax(1).tolist() == [1, 1]
    assert Square(eps=255.0, queries=20)(classifier, bright, np.ones(2, int)).queries.all()

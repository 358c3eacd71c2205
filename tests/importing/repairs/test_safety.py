"""A repair is no way around the check for code."""

import json

import h5py
import numpy as np
import pytest

from model_files import FLAG, SHAPE, refusal
from tfinv.importing import keras_file, legacy
from tfinv.importing.repairs import config as configs
from tfinv.importing.repairs.context import Context, Unrepairable
from tfinv.importing.safety import find_unsafe

CODE = ["", None, None]  # no program, and of the form of one


def layer(class_name, **config):
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


FIRST = layer("Flatten", batch_input_shape=[None, *SHAPE])
LAMBDAS = [
    layer("Lambda", function=CODE, function_type="lambda"),
    layer("Lambda", function="", function_type="lambda"),
    layer("Lambda", function="tanh", function_type="function", output_shape=CODE, output_shape_type="lambda"),
    layer("Merge", mode=CODE, mode_type="lambda"),
    layer("TimeDistributed", layer=layer("Lambda", function=CODE, function_type="lambda")),
    layer("Dense", units=3, activation={"class_name": "__lambda__", "config": {"value": ""}}),
    layer("Package>TFSMLayer", filepath="x"),
]


def write(path, layers, version="2.3.1"):
    config = {"class_name": "Sequential", "config": [FIRST, *layers]}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        file.create_group("model_weights").attrs["layer_names"] = np.array([], dtype="S1")
    return path


@pytest.mark.parametrize("part", LAMBDAS, ids=lambda part: part["class_name"])
def test_code_of_old_files_is_refused(part, tmp_path):
    assert FLAG in refusal(write(tmp_path / "model.h5", [part]))


@pytest.mark.parametrize("version", ["1.2.2", "2.3.1", "3.1.0"])
def test_code_that_a_repair_brings_to_light_is_refused(version, tmp_path, monkeypatch):
    """As if some odd configuration became a Lambda by being repaired."""
    lambda_layer = {"module": "keras.layers", **layer("Lambda", function=CODE)}
    monkeypatch.setattr(
        configs, "repair", lambda config, context: {"class_name": "Sequential", "config": [lambda_layer]}
    )
    monkeypatch.setattr(legacy, "read", lambda *_: pytest.fail("tf_keras must not see it"))
    assert FLAG in refusal(write(tmp_path / "model.h5", [layer("Nonsense")], version))


@pytest.mark.parametrize("module", ["os", "builtins", "keras.utils", "subprocess"])
@pytest.mark.parametrize("class_name", ["system", "Dense", "function", "get_file"])
def test_modules_of_the_file_are_not_kept(module, class_name):
    """The repaired configuration has classes of Keras alone, in the modules where Keras has them."""
    part = {**layer(class_name, units=3), "module": module, "registered_name": "x>y"}
    try:
        repaired = configs.repair({"class_name": "Sequential", "config": [FIRST, part]}, Context.of(()))
    except Unrepairable:
        return
    modules = {item["module"] for item in repaired["config"]["layers"]}
    assert modules == {"keras.layers"}
    assert find_unsafe(repaired) is None


@pytest.mark.parametrize(
    "name", ["io.read_file", "io.write_file", "py_function", "numpy_function", "load_op_library", "raw_ops.X"]
)
@pytest.mark.parametrize("class_name", ["TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"])
def test_operations_come_from_a_table(class_name, name):
    inputs = {**layer("InputLayer", batch_input_shape=[None, *SHAPE]), "name": "x", "inbound_nodes": []}
    operation = {
        **layer(class_name, function=name, node_def={"op": name}),
        "name": "o",
        "inbound_nodes": [["x", 0, 0, {}]],
    }
    config = {"name": "m", "layers": [inputs, operation], "input_layers": [["x", 0, 0]], "output_layers": [["o", 0, 0]]}
    config = {"class_name": "Functional", "config": config}
    with pytest.raises(Unrepairable, match=name):
        configs.repair(config, Context.of(()))
    with pytest.raises(Unrepairable, match=name):
        legacy._check(config, Context.of(()))


@pytest.mark.parametrize(
    "part",
    [
        {**layer("Dense", units=3), "module": "os"},
        {**layer("Dense", units=3), "registered_name": "os>system"},
        {"class_name": "function", "config": "system", "module": "builtins"},
        {"class_name": "function", "config": "get_file", "module": "keras.utils"},
        layer("Lambda", function="tanh", function_type="function"),
        layer("StringLookup", vocabulary="/etc/hostname"),
        layer("ClassMethod", cls_symbol="io.TFRecordWriter", method_name="write"),
        layer("Nonsense"),
    ],
    ids=lambda part: part["class_name"],
)
def test_tf_keras_sees_only_what_is_on_its_list(part):
    pytest.importorskip("tf_keras")
    with pytest.raises(Unrepairable):
        legacy._check({"class_name": "Sequential", "config": [FIRST, part]}, Context.of(()))


def test_the_caller_s_own_classes_are_on_the_list():
    legacy._check({"class_name": "Sequential", "config": [layer("Mine")]}, Context.of(["Mine"]))


@pytest.mark.parametrize("link", ["soft", "external", "virtual"])
def test_weights_lie_in_the_file_itself(link, tmp_path):
    path = write(tmp_path / "model.h5", [layer("Dense", units=3)])
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros(3)
    with h5py.File(path, "r+") as file:
        if link == "soft":
            file["model_weights"]["dense"] = h5py.SoftLink("/elsewhere")
        elif link == "external":
            file["model_weights"]["dense"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        else:
            layout = h5py.VirtualLayout((3,), "f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3,))
            file["model_weights"].create_virtual_dataset("dense", layout)
    assert "Don't load it anywhere" in refusal(path)


def test_deep_nests_are_refused(tmp_path):
    path = write(tmp_path / "model.h5", [])
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": ' + "[" * 20_000 + "]" * 20_000 + "}"
    assert "a whole model file" in refusal(path)


def test_checks_see_the_original_and_the_repaired_configuration(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(keras_file, "find_unsafe", lambda config: seen.append(config))
    path = write(tmp_path / "model.h5", [layer("Activation", activation="relu")])
    keras_file.read(path, keras_file.ReadOptions())
    assert isinstance(seen[0]["config"], list)
    assert seen[-1]["config"]["layers"][0]["class_name"] == "InputLayer"

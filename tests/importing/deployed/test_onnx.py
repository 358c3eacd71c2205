"""`.onnx` files: batches, layouts, types, metadata, and refusals whose advice works."""

import pathlib

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.importing.zoo import forms_onnx as forms
from tfinv.errors import UserError
from tfinv.importing import load_classifier
from tfinv.importing.deployed import black_box, onnx_file
from tfinv.importing.loaded import ReadOptions


@pytest.fixture
def written(tmp_path):
    """A function from a model, or bytes, to the path of its file."""

    def write(model, name="model.onnx"):
        (tmp_path / name).write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return tmp_path / name

    return write


def refusal(path):
    with pytest.raises(UserError) as error:
        load_classifier(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "options",
    [{}, {"channels_first": False}, {"batch": 1, "reshape_rows": 1}, {"batch": 1}, {"batch": 2, "reshape_rows": 2}],
    ids=str,
)
def test_any_number_of_images_has_the_scores_of_single_ones(options, written):
    model = forms.graph(ending=(), **options)
    classifier = load_classifier(written(model))
    x = forms.images(21)
    truth = forms.session(model, x)
    for count in (1, 2, 21):
        np.testing.assert_allclose(classifier.predict(x[:count], batch_size=8), truth[:count], atol=1e-5)
    np.testing.assert_array_equal(classifier.predict(x), classifier.predict(x))


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, None),
        ({"batch": 1}, None),
        ({"batch": 1, "reshape_rows": 1}, "images one at a time, since the file takes no other number"),
        ({"batch": 2, "reshape_rows": 2}, "images in batches of 2, since the file takes no other number"),
    ],
    ids=str,
)
def test_a_fixed_batch_is_freed_where_that_is_the_same(options, note, written):
    notes = onnx_file.read(written(forms.graph(**options)), ReadOptions()).notes
    assert [n for n in notes if n.startswith("images ")] == ([note] if note else [])


def test_threads_change_nothing(written, monkeypatch):
    results = []
    for count in (1, 2):
        monkeypatch.setattr(black_box, "threads", lambda count=count: count)
        results.append(load_classifier(written(forms.graph())).predict(forms.images(9)))
    np.testing.assert_allclose(*results, atol=1e-5)


def test_half_precision_and_whole_numbers_are_said(written):
    half = load_classifier(written(forms.graph(dtype=np.float16, ending=())))
    assert "images are rounded to half precision, for the model's float16 input" in half.notes
    whole = load_classifier(written(forms.graph(dtype=np.uint8, ending=())))
    assert (whole.bounds, whole.differentiable) == ((0.0, 255.0), False)
    assert "images are rounded to whole numbers, for the model's uint8 input" in whole.notes
    x = np.round(forms.images(3, largest=254.0))
    np.testing.assert_array_equal(whole.predict(x), whole.predict(x + np.float32(0.4)))


@pytest.mark.parametrize(
    ("metadata", "bounds", "names"),
    [
        ({"Image.NominalPixelRange": "Normalized_1_1", "labels": '["a", "b", "c", "d"]'}, (-1.0, 1.0), tuple("abcd")),
        ({"image.nominalpixelrange": "nominalrange_0_255", "id2label": '{"0": "a"}'}, (0.0, 255.0), None),
        ({"names": "a,b,c,d", "Image.NominalPixelRange": "other"}, (0.0, 1.0), None),
    ],
    ids=str,
)
def test_metadata(metadata, bounds, names, written):
    classifier = load_classifier(written(forms.graph(metadata=metadata)))
    assert (classifier.bounds, classifier.class_names) == (bounds, names)


def test_metadata_of_bgr_names_the_flag_which_helps(written):
    path = written(forms.graph(ending=(), metadata={"Image.BitmapPixelFormat": "Bgr8"}))
    assert "its metadata says that it takes BGR: pass --channels=bgr" in load_classifier(path).notes
    x = forms.images(3)
    truth = forms.session(forms.graph(ending=()), x[..., ::-1])
    np.testing.assert_allclose(load_classifier(path, channels="bgr").predict(x), truth, atol=1e-5)


def with_weights_in(location):
    """A model whose dense layer is in another file, and the bytes of that file."""
    model = forms.graph()
    (dense,) = [tensor for tensor in model.graph.initializer if tensor.name == "dense"]
    raw = dense.raw_data
    dense.ClearField("raw_data")
    dense.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(raw)))):
        dense.external_data.add(key=key, value=value)
    return model, raw


@pytest.mark.parametrize("place", ["../weights.bin", "/tmp/weights.bin", "sub/../../weights.bin", ""])
def test_weights_outside_of_the_folder_are_refused(place, tmp_path, written):
    model, raw = with_weights_in(place)
    (tmp_path.parent / "weights.bin").write_bytes(raw)
    assert "Export it again as one file, or with its weights beside it." in refusal(written(model))
    assert load_classifier(written(forms.graph())).num_classes == forms.CLASSES


def test_a_link_does_not_lead_out_of_the_folder(tmp_path, written):
    model, raw = with_weights_in("weights.bin")
    (tmp_path.parent / "elsewhere.bin").write_bytes(raw)
    (tmp_path / "weights.bin").symlink_to(tmp_path.parent / "elsewhere.bin")
    assert "weights in the folder" in refusal(written(model))


def test_weights_that_are_missing_are_named_and_copied_there_they_are_read(tmp_path, written):
    model, raw = with_weights_in("data/weights.bin")
    path = written(model)
    text = refusal(path)
    assert text.endswith("no such file. Copy it there, too.")
    file = pathlib.Path(text.split("the file ")[1].split(",")[0])
    assert file == tmp_path / "data" / "weights.bin"
    file.parent.mkdir()
    file.write_bytes(raw)
    x = forms.images(3)
    truth = forms.log(forms.session(forms.graph(), x))
    logits = load_classifier(path).predict(x)
    np.testing.assert_allclose(logits, truth, atol=1e-5)


@pytest.mark.parametrize(
    ("domain", "name"), [("acme", "Relu"), ("com.microsoft", "EPContext"), ("com.microsoft", "PythonOp")]
)
@pytest.mark.parametrize("inside", [False, True])
def test_foreign_operations_are_refused_also_inside_of_branches(domain, name, inside, written):
    node = helper.make_node(name, ["images"], ["x"], domain=domain)
    if inside:
        result = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        branch = helper.make_graph([node], "branch", [], [result])
        node = helper.make_node("If", ["condition"], ["x"], then_branch=branch, else_branch=branch)
    model = forms.graph()
    model.graph.node.append(node)
    assert f"{domain}::{name}, which need libraries or files of their own" in refusal(written(model))
    assert load_classifier(written(forms.graph())).num_classes == forms.CLASSES


def test_a_function_in_the_file_is_no_foreign_operation(written):
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("acme", "Relu", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    model = forms.graph(ending=(), Relu={"domain": "acme"})
    model.functions.append(function)
    x = forms.images(3)
    truth = forms.session(forms.graph(ending=()), x)
    np.testing.assert_allclose(load_classifier(written(model)).predict(x), truth, atol=1e-5)


@pytest.mark.parametrize("content", [b"no model", b"\x08\x08", forms.np.arange(99).tobytes()])
def test_what_is_no_model_is_refused(content, written):
    assert refusal(written(content)).endswith("Export it again as one .onnx file.")


def test_a_model_that_the_runtime_refuses_is_refused_in_one_line(written):
    model = forms.graph()
    model.graph.node[0].input[0] = "nowhere"
    assert "Expected an .onnx file that ONNX Runtime can run" in refusal(written(model))


def test_two_inputs_are_refused(written):
    model = forms.graph()
    model.graph.input.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, ["n"]))
    assert "Export one of images alone." in refusal(written(model))


def test_weights_that_are_listed_as_inputs_are_none(written):
    model = forms.graph(ending=())
    model.ir_version = 3
    for tensor in model.graph.initializer:
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, numpy_helper.to_array(tensor).shape)
        model.graph.input.append(value)
    x = forms.images(3)
    truth = forms.session(forms.graph(ending=()), x)
    np.testing.assert_allclose(load_classifier(written(model)).predict(x), truth, atol=1e-5)

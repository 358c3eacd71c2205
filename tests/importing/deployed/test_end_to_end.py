"""What works on deployed models: attacks of scores and labels, transfer from the network behind them, inversions by labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.importing.zoo import forms_litert, forms_onnx
from tfinv import attacks
from tfinv.attacks import PGD, Boundary, HopSkipJump, Square, Transfer
from tfinv.errors import UserError
from tfinv.importing import load_classifier
from tfinv.inversion import BREP, Knowledge, MIFace, invert

EPS = 0.2


@pytest.fixture(scope="module")
def twin():
    """A network that tells bright images from dark ones, and red from blue, by the mean of the channels."""
    model = forms_litert.network(keras.layers.Dense(3, activation="softmax"))
    kernel = np.zeros((3, 3, 3, 6), np.float32)
    kernel[1, 1, 0, 0] = kernel[1, 1, 1, 1] = kernel[1, 1, 2, 2] = 1.0
    dense = np.zeros((36, 6, 3), np.float32)
    dense[:, 0, 0] = dense[:, 1, 1] = dense[:, 2, 2] = 0.5
    model.set_weights([kernel, np.zeros(6), dense.reshape(-1, 3), np.zeros(3)])
    return model


@pytest.fixture(scope="module")
def images():
    """Images of which one channel is a little brighter, and the number of that channel."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.3, 0.5, (6, *forms_litert.SHAPE)), np.arange(6) % 3
    x[np.arange(6), :, :, y] += 0.08
    return x.astype(np.float32), y


def int8(converter):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def as_onnx(twin):
    """The same network in NCHW."""
    from onnx import numpy_helper

    model = forms_onnx.graph(classes=3)
    kernel, _, dense, bias = twin.get_weights()
    values = {
        "kernel": kernel.transpose(3, 2, 0, 1),
        "dense": dense.reshape(6, 6, 6, 3).transpose(2, 0, 1, 3).reshape(-1, 3),
        "bias": bias,
    }
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name].astype(np.float32), tensor.name))
    return model.SerializeToString()


@pytest.fixture(scope="module", params=["float32.tflite", "int8.tflite", "float32.onnx"])
def deployed(request, twin, tmp_path_factory):
    """The file, and a function from images to the classes that its own runtime predicts."""
    path = tmp_path_factory.mktemp("deployed") / request.param
    if path.suffix == ".onnx":
        content = as_onnx(twin)
        from onnx import ModelProto

        predict = lambda x: forms_onnx.session(ModelProto.FromString(content), x).argmax(1)  # noqa: E731
    else:
        content = forms_litert.converted(twin, quantise=int8 if path.name.startswith("int8") else None)
        predict = lambda x: forms_litert.interpreted(content, x).argmax(1)  # noqa: E731
    path.write_bytes(content)
    return path, predict


@pytest.mark.parametrize(
    "attack",
    [
        Square(eps=EPS, queries=300),
        HopSkipJump(eps=EPS, norm="linf", queries=400, evaluations=20),
        Boundary(eps=3.0, norm="l2", queries=300),
        attacks.attack("noise", eps=0.02),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_attacks_that_need_no_gradients(attack, deployed, images):
    path, predict = deployed
    x, y = images
    result = attack(load_classifier(path), x, y)
    np.testing.assert_array_equal(result.success, predict(result.images) != y)
    assert result.success.all() == (attack.eps > 0.1)  # noise of 0.02 moves no mean by 0.08
    assert (result.distances[result.success] <= attack.eps * (1 + 1e-6)).all()


def test_gradients_are_refused_with_what_works_instead(deployed, images):
    classifier, (x, y) = load_classifier(deployed[0]), images
    with pytest.raises(UserError) as error:
        PGD(eps=EPS)(classifier, x, y)
    text = str(error.value)
    assert "\n" not in text
    assert "a black box, without gradients" in text
    assert "--surrogate=m.keras" in text
    names = text.split("--attacks=")[1].split(" ")[0].split(",")
    assert names == ["square", "hopskipjump", "noise"]
    for name in names:
        attacks.attack(name).check_needs(classifier)
    with pytest.raises(UserError, match="Use a method that needs predictions only, such as network or brep"):
        invert(classifier, [0], MIFace())


def test_the_gradients_of_the_twin_fool_it(deployed, twin, images, tmp_path):
    path, predict = deployed
    x, y = images
    twin.save(tmp_path / "m.keras")
    attack = Transfer(eps=EPS, surrogate=str(tmp_path / "m.keras"), attack="pgd(steps=5)")
    result = attack(load_classifier(path), x, y)
    assert result.success.all()
    np.testing.assert_array_equal(predict(result.images) != y, True)


def test_an_inversion_by_labels(deployed, images):
    (x, y), (path, predict) = images, deployed
    method = BREP(space="pixels", start="given", steps=20, patience=10, radius=0.5, points=8)
    result = invert(load_classifier(path), y[1:2], method, knowledge=Knowledge(begin=x[1:2]))
    np.testing.assert_array_equal(predict(result.images), y[1:2])
    assert (result.images != result.starts).any()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("pgd(steps=3,norm=l2)", "transfer(surrogate='a b.keras',attack='pgd(steps=3)',norm=l2)"),
        ("fgsm", "transfer(surrogate='a b.keras',attack=fgsm)"),
        ("square", "square"),
        ("noise(draws=3)", "noise(draws=3)"),
        (
            "worst_case(members='fgsm,noise')",
            "transfer(surrogate='a b.keras',attack=\"worst_case(members='fgsm,noise')\")",
        ),
    ],
)
def test_the_text_form_through_a_surrogate(form, expected):
    from tfinv.attacks.transfer import through

    assert through(form, "a b.keras") == expected


def test_a_surrogate_with_its_preprocessing_and_channels(twin, images, tmp_path):
    """The twin takes BGR in 0..1, and the victim, wrapped, RGB in 0..255."""
    twin.save(tmp_path / "m.keras")
    x, y = images
    options = {"preprocessing": "divide=255", "channels": "bgr"}
    victim = load_classifier(tmp_path / "m.keras", **options)
    mirrored = 255 * x[..., ::-1]
    for arguments in ({}, options):
        attack = Transfer(eps=EPS * 255, surrogate=str(tmp_path / "m.keras"), attack="fgsm", **arguments)
        assert attack(victim, mirrored, y).success.all() == bool(arguments)

"""Forms of .onnx files, with the scores that ONNX Runtime gives when it is called directly."""

import numpy as np

from tests.importing.zoo.deployed_files import BLACK_BOX, CLASSES, LABELS, SHAPE, images, log, network
from zoo import Built, Form


def graph(channels_first=True, batch="batch", dtype=np.float32, ending=("Softmax",), classes=CLASSES, **options):
    """An .onnx model: a convolution, flattened, a dense layer, and what follows; random weights."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    height, width, channels = SHAPE
    size = 6 * (height - 2) * (width - 2)
    inner = np.float16 if dtype == np.float16 else np.float32
    weights = {
        "kernel": rng.normal(size=(6, channels, 3, 3)) * 0.3,
        "dense": rng.normal(size=(size, classes)) * 0.2,
        "bias": rng.normal(size=classes),
    }
    tensors = [numpy_helper.from_array(value.astype(inner), name) for name, value in weights.items()]
    rows = -1 if options.get("reshape_rows") is None else options["reshape_rows"]
    tensors.append(numpy_helper.from_array(np.array([rows, size], np.int64), "flat_shape"))
    nodes, last = [], "images"
    steps = [
        *([("Cast", [], {"to": TensorProto.FLOAT})] if np.issubdtype(dtype, np.integer) else []),
        *([] if channels_first else [("Transpose", [], {"perm": [0, 3, 1, 2]})]),
        ("Conv", ["kernel"], {}),
        ("Relu", [], {}),
        ("Reshape", ["flat_shape"], {}),
        ("Gemm", ["dense", "bias"], {}),
        *((name, [], {}) for name in ending),
    ]
    for i, (operation, others, attributes) in enumerate(steps):
        name = "scores" if i == len(steps) - 1 else f"t{i}"
        nodes.append(helper.make_node(operation, [last, *others], [name], **attributes, **options.get(operation, {})))
        last = name
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sizes = (channels, height, width) if channels_first else SHAPE
    first = helper.make_tensor_value_info("images", kind, [batch, *sizes])
    result = helper.make_tensor_value_info("scores", helper.np_dtype_to_tensor_dtype(np.dtype(inner)), [batch, classes])
    outputs = [result]
    if "second" in options:
        nodes.append(helper.make_node("GlobalAveragePool", ["t0"], ["second"]))
        outputs.insert(0, helper.make_tensor_value_info("second", TensorProto.FLOAT, [batch, 6, 1, 1]))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [first], outputs, tensors), opset_imports=opsets, ir_version=8
    )
    for key, value in options.get("metadata", {}).items():
        model.metadata_props.add(key=key, value=value)
    return model


def session(model, x, output="scores"):
    """The scores of an .onnx model, one image at a time, by ONNX Runtime itself."""
    import onnxruntime

    runner = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (first,) = runner.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}[first.type]
    if first.shape[1] == SHAPE[2]:
        x = np.moveaxis(x, -1, 1)
    size = first.shape[0] if isinstance(first.shape[0], int) else 1
    batches = [np.repeat(image[None].astype(dtype), size, axis=0) for image in x]
    rows = [runner.run([output], {first.name: batch})[0][0] for batch in batches]
    return np.array(rows, np.float64)


def onnx_form(x=None, scores=log, **options):
    def build(folder):
        model, taken = graph(**options), images() if x is None else x
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        return Built(folder / "model.onnx", taken, scores(session(model, taken)))

    return build


def binary_log_odds(p):
    return np.concatenate([np.zeros_like(p), np.log(p) - np.log1p(-p)], axis=1)


def keras_twin(folder):
    """The same network in Keras, with the weights of the .onnx file, has the same scores."""
    from onnx import numpy_helper

    model = graph(channels_first=False)
    kernel, dense, bias, _ = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    twin = network()
    height, width = SHAPE[0] - 2, SHAPE[1] - 2
    by_row = dense.reshape(6, height, width, CLASSES).transpose(1, 2, 0, 3).reshape(-1, CLASSES)
    twin.set_weights([kernel.transpose(2, 3, 1, 0), np.zeros(6), by_row, bias])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    built = Built(folder / "model.onnx", images(), log(session(model, images())))
    np.testing.assert_allclose(built.logits, np.log(twin.predict(images(), verbose=0)), atol=1e-4)
    return built


def external_data(folder):
    import onnx

    model = graph()
    onnx.save_model(
        model,
        str(folder / "model.onnx"),
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=200,
    )
    return Built(folder / "model.onnx", images(), log(session(graph(), images())))


def custom_operation(folder):
    (folder / "model.onnx").write_bytes(graph(Relu={"domain": "acme"}).SerializeToString())
    return Built(folder / "model.onnx", images(), None)


def form(name, does, build, **options):
    return Form("Deployed models", name, does, build, gradients=False, needs=("onnx", "onnxruntime"), **options)


FORMS = [
    form(
        "an .onnx file, channels first",
        f"{BLACK_BOX}, run by ONNX Runtime; channels are moved.",
        onnx_form(),
        command=True,
    ),
    form("an .onnx file, channels last", f"{BLACK_BOX}.", keras_twin),
    form(
        "an .onnx file for one image at a time", "Images go through it one by one.", onnx_form(batch=1, reshape_rows=1)
    ),
    form("an .onnx file of a fixed batch that others fit, too", "Batches of any size.", onnx_form(batch=1)),
    form("an .onnx file for batches of two alone", "In batches of two.", onnx_form(batch=2, reshape_rows=2)),
    form(
        "an .onnx file in float16",
        "Images are rounded to half precision.",
        onnx_form(dtype=np.float16, ending=(), scores=np.asarray),
        tolerance=2e-3,
    ),
    form(
        "an .onnx file with uint8 input",
        "Images from 0 to 255 are rounded to whole numbers; a note says so.",
        onnx_form(np.round(images(largest=255.0)), dtype=np.uint8, ending=(), scores=np.asarray),
    ),
    form(
        "an .onnx file of one sigmoid unit",
        "The log-odds of its probability.",
        onnx_form(ending=("Sigmoid",), classes=1, scores=binary_log_odds),
    ),
    form(
        "an .onnx file with several outputs",
        "--output says which one classifies.",
        onnx_form(second=True),
        arguments={"output": "scores"},
        flags="--output=scores",
    ),
    form("an .onnx file with its weights in a file beside it", "Both files are read.", external_data),
    form(
        "an .onnx file with metadata of pixels and classes",
        "Image.NominalPixelRange gives the bounds, and names the classes.",
        onnx_form(
            images(largest=255.0),
            ending=(),
            scores=np.asarray,
            metadata={"Image.NominalPixelRange": "NominalRange_0_255", "names": str(dict(enumerate(LABELS)))},
        ),
    ),
    form(
        "an .onnx file with operations of another library",
        "Refused: they would be code.",
        custom_operation,
        refusal="acme::Relu, which need libraries or files of their own",
    ),
]

#!/usr/bin/env bash
# TensorFlow Lite's converter: given a concrete function of a Keras 3 model, and the model, it writes a file without the weights.
#
# Guessed: `tf.lite.TFLiteConverter.from_concrete_functions([function], model)` writes what `from_keras_model(model)` does. The second
# argument is what its own warning asks for where it is left out, and this is how one fixes the batch or the name of the input.
#
# Seen (tensorflow 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0): no error and no warning; the file reads variables (VAR_HANDLE,
# READ_VARIABLE) to which no operation in it assigns a value, and is smaller than the weights. LiteRT runs it, and gives scores of
# whatever its memory holds: not those of the model, often NaN. Without the second argument, against which it warns, all is right.
# The model is a Keras object, whose variables the SavedModel in between doesn't track.
#
# Who is hurt: whoever deploys a Keras 3 model in this way, and learns of it on the phone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1 ai-edge-litert==2.3.0 numpy==2.4.6 2>/dev/null
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import contextlib
import io

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(3)])
function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((1, 8), tf.float32))
x = np.ones((1, 8), np.float32)


def operations(content):
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    file = schema.Model.GetRootAsModel(content, 0)
    return {names[file.OperatorCodes(i).BuiltinCode()] for i in range(file.OperatorCodesLength())}


def scores(content):
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


truth = model.predict(x, verbose=0)
for name, converter, right in (
    ("from_keras_model(model)", tf.lite.TFLiteConverter.from_keras_model(model), True),
    ("from_concrete_functions([function])", tf.lite.TFLiteConverter.from_concrete_functions([function]), True),
    ("from_concrete_functions([function], model)", tf.lite.TFLiteConverter.from_concrete_functions([function], model), False),
):
    with contextlib.redirect_stdout(io.StringIO()):
        content = converter.convert()
    found, same = operations(content), np.allclose(scores(content), truth, atol=1e-5)
    unassigned = "READ_VARIABLE" in found and "ASSIGN_VARIABLE" not in found
    print(f"{name}: {len(content)} bytes, the model's scores: {same}, variables without a value: {unassigned}")
    assert (same, unassigned) == (right, not right), "no longer as stated"
print("as stated")
PYTHON

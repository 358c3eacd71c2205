#!/usr/bin/env bash
# Keras 3: a model with an input of uint8 takes float images without a word, and cuts them down to whole numbers.
#
# Guessed: a model whose input is declared `dtype="uint8"` either refuses floats, or computes with them: what it is called on is an
# ordinary float32 array in the right shape.
#
# Seen (keras 3.15.1, tensorflow 2.21.0): calling it, and `predict`, cast the floats to uint8, which drops their fractions. Images
# scaled to 0..1 become all black but for their pixels of exactly 1, and get one and the same answer; 100.9 is taken for 100. There
# is no warning. A gradient for the floats is None, also where all layers are of floats, so tools that attack or explain such a
# model find nothing to follow. The same model exported with `model.export` does the same with arrays of floats.
#
# Who is hurt: whoever scores or attacks a model that begins with uint8 and Rescaling(1 / 255), the form for which no preprocessing
# is needed, on images that are scaled already: one class for all, or "robust", and nothing says why.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 numpy==2.4.6 2>/dev/null
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > calls.py <<'PYTHON'
import sys, warnings
import keras, numpy as np, tensorflow as tf
model = keras.Sequential([keras.Input((1,), dtype="uint8"), keras.layers.Rescaling(1.0)])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    called = [float(model(np.float32([[v]]))[0, 0]) for v in (0.0, 0.5, 0.999, 1.0, 100.9)]
    predicted = model.predict(np.float32([[0.5], [0.999], [100.9]]), verbose=0)[:, 0].tolist()
    x = tf.constant([[100.9]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
    gradient = tape.gradient(y, x)
model.export("exported", verbose=False)
served = float(tf.saved_model.load("exported").serve(np.float32([[0.999]]))[0, 0])
print(called, predicted, gradient, len(caught), served)
PYTHON
expect "called, predicted, gradient, warnings, exported" "$(venv/bin/python calls.py 2>/dev/null)" \
  "[0.0, 0.0, 0.0, 1.0, 100.0] [0.0, 0.0, 100.0] None 0 0.0"
echo "as described"

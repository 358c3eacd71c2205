#!/usr/bin/env bash
# Keras 3 on TensorFlow: a bias of channels first is added along the width, without a word, where the width is the number of channels.
#
# Guessed: keras.ops.add broadcasts as NumPy does, as its documentation says; so a Conv2D with data_format="channels_first" answers
# what the same layer with channels last does.
#
# Seen (keras 3.15.1, tensorflow 2.21.0): keras.ops.add takes a second operand with a single axis longer than 1 for a bias, and where
# the last axis of the first operand has that length, it adds it there. So (1, 3, 1, 1) is added to (n, 3, h, 3) as if it were
# (3,): a Conv2D of 3 filters and channels first is wrong where its output is 3 wide, and right where it is 4 wide. Nothing is
# raised; shapes are as they should be. In a compiled function TensorFlow may fuse convolution and bias, and the result is right again:
# one model then has two answers.
#
# Who is hurt: whoever runs channels-first models (Theano's, or ports of PyTorch's) in Keras 3, where a feature map happens to be as
# wide as it is deep; and whoever adds (1, C, 1, 1) to square-ish arrays by keras.ops.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 numpy==2.4.6 2>/dev/null
# On processors without AVX-512 TensorFlow leaves out the kernels for channels first unless it is asked.
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= TF_ENABLE_ONEDNN_OPTS=1
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > bias.py <<'PYTHON'
import keras, numpy as np

bias = np.arange(3, dtype="float32").reshape(1, 3, 1, 1)

def sums_agree(width):
    x = np.zeros((1, 3, 2, width), "float32")
    return np.array_equal(keras.ops.add(x, bias), x + bias)

def layers_agree(width):
    x = np.random.default_rng(0).normal(size=(1, width + 2, width + 2, 2)).astype("float32")
    last, first = (keras.layers.Conv2D(3, 3, data_format=f"channels_{order}") for order in ("last", "first"))
    last.build(x.shape)
    first.build(x.transpose(0, 3, 1, 2).shape)
    last.bias.assign([0, 1, 2])
    first.set_weights(last.get_weights())
    difference = np.asarray(first(x.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1) - np.asarray(last(x))
    return bool(np.abs(difference).max() < 1e-4)

print("; ".join(f"width {width}: {sums_agree(width)}, {layers_agree(width)}" for width in (3, 4)))
PYTHON
expect "equal to NumPy, to channels last; 3 channels" "$(venv/bin/python bias.py 2>/dev/null | tail -n 1)" "width 3: False, False; width 4: True, True"
echo "as stated"

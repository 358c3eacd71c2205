#!/usr/bin/env bash
# TensorFlow on a CPU: tf.nn.conv2d with dilations predicts everywhere, but only oneDNN's kernel has its gradient; tf.nn.convolution,
# called with the same arguments, has one either way.
#
# Guessed: a function that predicts can be differentiated, and two functions for one convolution behave alike;
# TF_ENABLE_ONEDNN_OPTS=0, which TensorFlow's own log offers against other rounding, changes digits and nothing else.
#
# Seen (tensorflow 2.21.0, keras 3.15.1): with TF_ENABLE_ONEDNN_OPTS=0 tf.nn.conv2d(dilations=2) and conv1d answer, and the gradient of
# their input raises "Current CPU implementations do not yet support dilation rates larger than 1"; conv3d doesn't even answer.
# tf.nn.convolution and Keras's layers, which split the image up instead, are fine. With 1 all are computed. 0 is the default where
# the processor lacks AVX-512, so that one program attacks, explains or trains a model on one machine and ends on the next.
#
# Who is hurt: whoever needs gradients of a SavedModel or of code of its own with dilated convolutions, on an older server.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 numpy==2.4.6 2>/dev/null
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > gradient.py <<'PYTHON'
import keras, tensorflow as tf

def outcome(function):
    try:
        return "ok" if function() is not None else "None"
    except Exception as error:
        return "refused" if "dilat" in str(error) else repr(error)

def gradient(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(function(x))
    return tape.gradient(total, x)

image, kernel = tf.random.normal((2, 9, 9, 3)), tf.random.normal((3, 3, 3, 4))
layer = keras.layers.Conv2D(4, 3, dilation_rate=2)
layer.build(image.shape)
for name, function, x in (
    ("conv1d", lambda x: tf.nn.conv1d(x, kernel[0], 1, "VALID", dilations=2), image[0]),
    ("conv2d", lambda x: tf.nn.conv2d(x, kernel, 1, "VALID", dilations=2), image),
    ("conv3d", lambda x: tf.nn.conv3d(x, kernel[None], [1] * 5, "VALID", dilations=[1, 1, 2, 2, 1]), image[:, None]),
    ("convolution", lambda x: tf.nn.convolution(x, kernel, 1, "VALID", dilations=2), image),
    ("Keras", layer, image),
):
    print(f"{name} {outcome(lambda: function(x))} {outcome(lambda: gradient(function, x))}", end="; ")
print()
PYTHON
seen() { TF_ENABLE_ONEDNN_OPTS=$1 venv/bin/python gradient.py 2>/dev/null | tail -n 1; }
expect "answers, has a gradient; without oneDNN" "$(seen 0)" \
  "conv1d ok refused; conv2d ok refused; conv3d refused refused; convolution ok ok; Keras ok ok; "
expect "answers, has a gradient; with oneDNN" "$(seen 1)" "conv1d ok ok; conv2d ok ok; conv3d ok ok; convolution ok ok; Keras ok ok; "
echo "as stated"

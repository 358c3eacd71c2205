#!/usr/bin/env bash
# Keras 3: an initialiser without a seed takes one from Python's global `random`, which any other code may draw from.
#
# Guessed: keras.utils.set_random_seed(s) fixes the weights of the layers that are built after it, whatever else the program does with
# Python's `random`; as tf.random and NumPy's generators go on by themselves.
#
# Seen (keras 3.15.1): each initialiser that is made without a seed calls random.randint of the module `random`. One random.random() of
# anybody's between set_random_seed and the layer, be it in another thread, and the layer has other weights. Nothing is said.
#
# Who is hurt: whoever trains in a thread beside others that draw (a Dask worker's tasks run beside its event loop, which shuffles and
# backs off with `random`), and compares runs by their seeds; whoever shuffles file names with `random` between seed and network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 numpy==2.4.6 2>/dev/null
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > seeds.py <<'PYTHON'
import random

import keras
import numpy as np


def kernel(between, seed=None):
    keras.utils.set_random_seed(1)
    between()
    layer = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed))
    layer.build((None, 2))
    return np.asarray(layer.kernel)


def same(between, **options):
    return np.array_equal(kernel(lambda: None, **options), kernel(between, **options))


draws = {"nothing": lambda: None, "random": random.random, "numpy": np.random.random}
print(", ".join(f"{name} {same(draw)}" for name, draw in draws.items()), "; with a seed, random", same(random.random, seed=5))
PYTHON
expect "equal kernels after a draw of" "$(venv/bin/python seeds.py 2>/dev/null | tail -n 1)" \
  "nothing True, random False, numpy True ; with a seed, random True"
echo "as stated"

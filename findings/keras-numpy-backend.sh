#!/usr/bin/env bash
# Keras: its NumPy backend imports SciPy and JAX, and declares neither.
#
# Guessed: with KERAS_BACKEND=numpy, Keras and what pip installs with it are enough to run a saved model where no framework is wanted.
#
# Seen (keras 3.15.1): `import keras` fails with "No module named 'scipy'"; with SciPy installed, with "No module named 'jax'"; with
# both a layer computes. So the backend that needs no framework needs one, and says so by a ModuleNotFoundError of each in turn.
#
# Who is hurt: whoever scores a model on a small machine, or in a test, without TensorFlow, JAX or PyTorch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@" 2>/dev/null; }
run() { KERAS_BACKEND=numpy "$folder/venv/bin/python" -c "import keras; print(keras.layers.Dense(2)(keras.ops.ones((1, 3))).shape)" 2>&1 | tail -n 1; }
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

install keras==3.15.1 numpy==2.4.6
expect "keras alone" "$(run || true)" "ModuleNotFoundError: No module named 'scipy'"
install scipy==1.17.1
expect "with scipy" "$(run || true)" "ModuleNotFoundError: No module named 'jax'"
install jax==0.10.2 jaxlib==0.10.2
expect "with scipy and jax" "$(run)" "(1, 2)"
echo "as stated"

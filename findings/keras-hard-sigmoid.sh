#!/usr/bin/env bash
# Keras 3: a Keras 2 file with hard_sigmoid loads without a word, and computes another function.
#
# Guessed: `keras.models.load_model` either gives the model that Keras 2 saved, or says what changed.
#
# Seen (keras 3.15.1, tf_keras 2.21.0): Keras 2's hard_sigmoid is clip(.2 x + .5, 0, 1), Keras 3's is clip(x / 6 + .5, 0, 1). The
# name in the file is the same, so an .h5 of Keras 2 loads, without a warning, and answers .6667 for 1 where its own Keras answers
# .7. Its LSTM and GRU layers had hard_sigmoid as their recurrent activation by default until 2.3, so recurrent models are touched,
# too.
#
# Who is hurt: whoever scores a model of Keras 2 in Keras 3; accuracy falls a little, and nothing says why.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 tf_keras==2.21.0 numpy==2.4.6 2>/dev/null
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > save.py <<'PYTHON'
import numpy, tf_keras
model = tf_keras.Sequential([tf_keras.Input((1,)), tf_keras.layers.Activation("hard_sigmoid")])
model.save("model.h5")
print(f"{model(numpy.ones((1, 1), 'float32')).numpy()[0, 0]:.4f}")
PYTHON
cat > load.py <<'PYTHON'
import warnings, numpy, keras
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = keras.models.load_model("model.h5", compile=False)
print(f"{model(numpy.ones((1, 1), 'float32')).numpy()[0, 0]:.4f}, {sum('sigmoid' in str(w.message) for w in caught)} warnings of it")
PYTHON
expect "Keras 2, hard_sigmoid(1)" "$(venv/bin/python save.py 2>/dev/null | tail -n 1)" "0.7000"
expect "Keras 3, the same file" "$(venv/bin/python load.py 2>/dev/null | tail -n 1)" "0.6667, 0 warnings of it"
echo "as stated"

"""A model that is loaded from a file has the same logits as the original."""

import pytest

from keras_models import CUT, IMAGES, LOG, TAKEN, assert_same_logits, dense, sequential
from tfinv.importing import load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_files_give_the_same_logits(suffix, activation, tmp_path, capfd):
    model = sequential(dense(activation=activation))
    path = tmp_path / f"model{suffix}"
    if suffix == ".h5":
        with pytest.MonkeyPatch.context() as patch:  # absl's advice against the format is no concern of this test
            patch.setattr("absl.logging.warning", lambda *_: None)
            model.save(path)
    elif suffix:
        model.save(path)
    else:
        model.export(path, verbose=False)
    capfd.readouterr()
    classifier = load_classifier(path)
    assert capfd.readouterr() == ("", "")
    assert classifier.differentiable
    expected_source = (CUT if activation else "linear head") if suffix else (LOG if activation else TAKEN)
    assert classifier.logits_source == expected_source
    assert_same_logits(classifier.predict(IMAGES, 4), model(IMAGES))

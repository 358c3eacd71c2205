"""Probing: whether a model gets its images as its training did, since a wrong preprocessing is the commonest mistake of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import special, stats

from tfinv.classifier import validation
from tfinv.classifier.classifier import Classifier
from tfinv.classifier.prediction import run_in_batches
from tfinv.importing import preprocessing
from tfinv.importing.preprocessing import PIXELS, UNIT, Bounds

SIGNIFICANCE = 0.001
PROBED = 500  # images, whatever the limit: fifty do not tell settings apart
_FIRST = 100  # images after which hopeless alternatives are left out
_RANGES: tuple[Bounds, ...] = (UNIT, PIXELS, (-1.0, 1.0))


@dataclasses.dataclass(frozen=True)
class Setting:
    """How images become the input of a model: the arguments of `load_classifier` that say it.

    Attributes:
      bounds: the range of the pixels.
      channels: "rgb" or "bgr".
      preprocessing: text form, see `tfinv.importing.preprocessing`, or None.
    """

    bounds: Bounds
    channels: str = "rgb"
    preprocessing: str | None = None

    def model_input(self, images01: np.ndarray) -> np.ndarray:
        """Returns what the model gets, (n, H, W, C) float32, of images in [0, 1]."""
        low, high = self.bounds
        pixels = (low + images01.astype(np.float64) * (high - low)).astype(np.float32)
        pixels = pixels[..., ::-1] if self.channels == "bgr" else pixels
        if self.preprocessing is None:
            return np.ascontiguousarray(pixels)
        return np.asarray(preprocessing.parse(self.preprocessing, self.bounds).apply(tf.constant(pixels)))

    def flags(self, declared: Setting) -> str:
        """Returns the flags of the command line that change the declared setting into this one."""
        form = self.preprocessing
        if form is None and declared.preprocessing is not None:
            form = "none"
        usual = UNIT if form is None else preprocessing.parse(form).bounds
        parts = []
        if not self.bounds == declared.bounds == usual:
            parts.append(f"--bounds={self.bounds[0]:g},{self.bounds[1]:g}")
        if self.channels != declared.channels or self.channels == "bgr":
            parts.append(f"--channels={self.channels}")
        if form is not None:
            parts.append(f"--preprocessing={form}")
        return " ".join(parts)


@dataclasses.dataclass(frozen=True)
class Probe:
    """Predictions in the declared setting, and the comparison with others.

    Attributes:
      declared: the setting.
      labels: (n,) of the images.
      predictions: (n,) classes in the declared setting.
      alternatives: the other settings.
      better: the best of them, if more images are right in it than in the declared one, beyond chance; else None.
      better_accuracy: share of images that are right in it.
      only_better: number of images that are right in `better` alone.
      only_declared: number of images that are right in the declared setting alone.
    """

    declared: Setting
    labels: np.ndarray
    predictions: np.ndarray
    alternatives: tuple[Setting, ...]
    better: Setting | None = None
    better_accuracy: float = 0.0
    only_better: int = 0
    only_declared: int = 0

    @property
    def accuracy(self) -> float:
        """Share of images that are right in the declared setting."""
        return float(np.mean(self.predictions == self.labels))


def probe_preprocessing(
    classifier: Classifier,
    images01: np.ndarray,
    labels: np.ndarray,
    *,
    declared: Setting | None = None,
    bare: Callable[[], Classifier] | None = None,
) -> Probe:
    """Compares the accuracy in the declared setting with that in others that models are usually trained in.

    Others are the common bounds, channels in the order BGR, the modes of `keras.applications`, inverted grey, each image by its own
    mean and deviation or by those of all images, and combinations of them. Most are left out after the first hundred images.

    Args:
      classifier: in the declared setting.
      images01: (n, H, W, C) in [0, 1]; some 500 suffice.
      labels: (n,).
      declared: None for the classifier's bounds and nothing else.
      bare: returns the same model in the order RGB and without preprocessing, where the declared setting has any of these.

    Returns:
      A probe whose `better` is an alternative in which significantly more images are right than in the declared setting (sign test
      on those that are right in one of the two, at .1 % over all alternatives), and more than by chance.

    Raises:
      UserError: the images or labels are not valid.
    """
    images01 = validation.check_images(images01, classifier.input_shape, UNIT)
    labels = validation.check_labels(labels, len(images01), classifier.num_classes)
    declared = declared or Setting(classifier.bounds)
    alternatives = _alternatives(declared, images01)
    predictions = _logits(classifier, images01, classifier.from_unit).argmax(axis=-1)
    right = predictions == labels
    probe = Probe(declared, labels, predictions, tuple(alternatives))
    model = bare() if bare else classifier
    candidates = []
    for setting in alternatives:
        logits = _logits(model, images01[:_FIRST], setting.model_input)
        if _is_hopeful(logits.argmax(axis=-1) == labels[:_FIRST], right[:_FIRST], 1 / classifier.num_classes):
            if len(labels) > _FIRST:
                logits = np.concatenate([logits, _logits(model, images01[_FIRST:], setting.model_input)])
            candidate = _Candidate.make(setting, logits, labels)
            if candidate.is_better(right, SIGNIFICANCE / len(alternatives), 1 / classifier.num_classes):
                candidates.append(candidate)
    if not candidates:
        return probe
    best = _choose(candidates)
    return dataclasses.replace(
        probe,
        better=best.setting,
        better_accuracy=float(best.right.mean()),
        only_better=int(np.sum(best.right & ~right)),
        only_declared=int(np.sum(right & ~best.right)),
    )


def _alternatives(declared: Setting, images01: np.ndarray) -> list[Setting]:
    """The usual settings that give the model something else than the declared one does, the simplest first."""
    three = images01.shape[-1] == 3
    coloured = three and not np.array_equal(images01[..., 0], images01[..., 2])
    settings = [Setting(bounds) for bounds in _RANGES]
    settings += [Setting(bounds, "bgr") if coloured else Setting(bounds, "rgb", "invert") for bounds in _RANGES]
    settings += [Setting(PIXELS, "rgb", mode) for mode in ("caffe", "torch") if three]
    settings += [Setting(PIXELS, "rgb", "standardise"), Setting(UNIT, "rgb", _own_statistics(images01))]
    if coloured:
        settings += [Setting(PIXELS, "bgr", form) for form in ("caffe", "torch", "standardise")]
    else:
        settings += [Setting(PIXELS, "rgb", "invert+standardise")]
    inputs, chosen = [declared.model_input(images01[:2])], []
    for setting in settings:
        given_to_model = setting.model_input(images01[:2])
        if not any(np.allclose(given_to_model, other, rtol=1e-4, atol=1e-4) for other in inputs):
            inputs.append(given_to_model)
            chosen.append(setting)
    return chosen


def _own_statistics(images01: np.ndarray) -> str:
    """The form of preprocessing by the mean and the deviation of these images, near those of the training images."""
    axes = (0, 1, 2)
    mean, std = (np.round(f(images01, axis=axes, dtype=np.float64), 3) for f in (np.mean, np.std))
    numbers = [",".join(f"{value:g}" for value in values) for values in (mean, np.maximum(std, 1e-3))]
    return f"mean={numbers[0]},std={numbers[1]}"


class _Candidate(NamedTuple):
    """A setting, the (n,) images that are right in it, and their mean cross-entropy."""

    setting: Setting
    right: np.ndarray
    loss: float

    @classmethod
    def make(cls, setting: Setting, logits: np.ndarray, labels: np.ndarray) -> _Candidate:
        """Returns the candidate of these (n, K) logits."""
        losses = special.logsumexp(logits, axis=-1) - logits[np.arange(len(labels)), labels]
        return cls(setting, logits.argmax(axis=-1) == labels, float(np.mean(losses)))

    def is_better(self, declared: np.ndarray, significance: float, chance: float) -> bool:
        """Whether more images are right than as declared, and than by chance."""
        only, only_declared = int(np.sum(self.right & ~declared)), int(np.sum(declared & ~self.right))
        by_chance = _is_greater(int(self.right.sum()), len(declared), chance, SIGNIFICANCE)
        return by_chance and _is_greater(only, only + only_declared, 0.5, significance)


def _choose(candidates: list[_Candidate]) -> _Candidate:
    """The setting in which most images are right; of those within a standard error, the one of the lowest cross-entropy.

    A model may well classify images of too large a contrast, but is then far too sure of what it gets wrong.
    """
    best = max(candidates, key=lambda candidate: candidate.right.sum())
    near = [c for c in candidates if not _differ(best.right, c.right)]
    return min(near, key=lambda candidate: candidate.loss)


def _differ(right: np.ndarray, other: np.ndarray) -> bool:
    """Whether more images are right than in another setting, by more than a standard error."""
    better, worse = int(np.sum(right & ~other)), int(np.sum(other & ~right))
    return better - worse > np.sqrt(better + worse)


def _logits(
    classifier: Classifier, images01: np.ndarray, model_input: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    batches = [images01[i : i + _FIRST] for i in range(0, len(images01), _FIRST)]
    return np.concatenate([run_in_batches(classifier.compiled_logits, model_input(batch), _FIRST) for batch in batches])


def _is_hopeful(right: np.ndarray, declared: np.ndarray, chance: float) -> bool:
    """Whether an alternative differs, is not worse by more than a standard error, and better than chance (at 5 %)."""
    differs = bool(np.any(right & ~declared)) and not _differ(declared, right)
    return differs and _is_greater(int(right.sum()), len(right), chance, 0.05)


def _is_greater(count: int, n: int, rate: float, significance: float) -> bool:
    return bool(n and stats.binomtest(count, n, rate, alternative="greater").pvalue < significance)


def describe(setting: Setting) -> str:
    """Returns a setting as a phrase."""
    parts = [f"pixels from {setting.bounds[0]:g} to {setting.bounds[1]:g}"]
    if setting.channels != "rgb":
        parts.append(f"channels {setting.channels}")
    if setting.preprocessing is not None:
        parts.append(f"preprocessing {setting.preprocessing}")
    return ", ".join(parts)

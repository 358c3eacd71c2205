"""A model through `load_classifier`: with no help, with its authors' flags, and with those that the checks name.

`python -m benchmarks.strangers.by_tfinv`, see `workers.serve`.
"""

import traceback
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.strangers.workers import serve
from tfinv import Classifier
from tfinv.classifier.gradients import input_gradient
from tfinv.errors import UserError
from tfinv.evaluation.robustness.clean_checks import Classes, clean_checks
from tfinv.importing import load_classifier, probe_preprocessing
from tfinv.importing.probing import PROBED

_STEPS, _IMAGES = (0.003, 0.001), 4  # steps as a share of the range of the pixels
_FEW, _MANY, _CLOSE = 16, 256, 0.02  # points on a line, and more where few are not close enough


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answers a request: how the model comes in, and what it says of the images; its logits are written to "outputs"."""
    tf.keras.backend.clear_session()
    plain = {"image_size": tuple(request["size"])} if request["size"] else {}
    reply: dict[str, Any] = {}
    try:
        bare = load_classifier(request["path"], **plain)
    except UserError as error:
        reply["refused"] = str(error)
        if not request["help"]:
            return reply
        plain |= request["help"]
        try:
            bare = load_classifier(request["path"], **plain)
        except UserError as second:
            return reply | {"refused_with_help": str(second)}
    except Exception as error:
        return {"traceback": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}\n{traceback.format_exc()}"}
    try:
        reply |= {
            "shape": bare.input_shape,
            "classes": bare.num_classes,
            "logits": bare.logits_source,
            "notes": bare.notes,
            "differentiable": bare.differentiable,
        }
        return reply if request["quick"] else reply | _figures(bare, plain, request)
    except Exception as error:
        return {"traceback": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}\n{traceback.format_exc()}"}


def _figures(bare: Classifier, plain: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """How close outputs and gradients are, and the accuracy of labelled images."""
    reply: dict[str, Any] = {}
    if tuple(request["image"]) != tuple(bare.input_shape):
        return {"misfit": f"takes {bare.input_shape} and not {tuple(request['image'])}"}
    with np.load(request["images"]) as arrays:
        images = dict(arrays)
    flags = _flags(request["prepare"])
    declared = bare
    if flags != {"bounds": tuple(bare.bounds)}:
        declared = load_classifier(request["path"], **plain | flags)
    outputs = {name: _logits(declared, images[name]) for name in ("noise", "labelled") if name in images}
    np.savez(request["outputs"], **outputs)
    if declared.differentiable:
        reply["gradient"] = gradient_error(declared, images["noise"])
        if reply["gradient"] > _CLOSE:
            reply["gradient"] = gradient_error(declared, images["noise"], _MANY)
    if "labelled" in images:
        reply |= _checked(bare, plain, request, images)
    return reply


def _flags(prepare: list[str]) -> dict[str, Any]:
    """The arguments that say what the authors' code does."""
    bounds, channels, preprocessing = prepare
    flags: dict[str, Any] = {"channels": channels} if channels else {}
    flags |= {"preprocessing": preprocessing} if preprocessing else {}
    return flags | ({"bounds": tuple(float(number) for number in bounds.split(","))} if bounds else {})


def _logits(classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    return classifier.predict(classifier.from_unit(pixels / 255), 100)


def gradient_error(classifier: Classifier, pixels: np.ndarray, points: int = _FEW) -> float:
    """Compares gradients with differences of a random sum of the logits, in one random direction.

    The difference between both ends of a short line is the integral of the gradient along it, also across the kinks of ReLU and
    pooling. Three of four pixels go where the gradient points, that the slope is not lost in rounding.

    Returns:
      The median over the images of what the two are apart, as a share of the larger one, at the step where it is least.
    """
    rng = np.random.default_rng(0)
    low, high = classifier.bounds
    middle = 0.05 * 127.5 + 0.95 * pixels[::2][:_IMAGES]  # off the bounds, so that both sides are within
    x = tf.constant(classifier.from_unit(middle / 255))
    weights = tf.constant(rng.standard_normal(classifier.num_classes), tf.float32)

    def score(x: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(classifier.logits(x), weights)

    value_and_gradient = tf.function(lambda x: input_gradient(score, x))
    along = tf.sign(value_and_gradient(x)[1])
    direction = tf.where(rng.random(x.shape) < 0.5, along, rng.choice([-1.0, 1.0], x.shape).astype(np.float32))
    errors = []
    for step in _STEPS:
        h = step * (high - low)
        ends = [value_and_gradient(x + sign * h * direction)[0].numpy() for sign in (1, -1)]
        slopes = []
        for point in (2 * np.arange(points) + 1) / points - 1:
            gradient = value_and_gradient(x + float(point) * h * direction)[1]
            slopes.append(tf.reduce_sum(gradient * direction, axis=(1, 2, 3)).numpy())
        change, slope = (ends[0] - ends[1]) / (2 * h), np.mean(slopes, axis=0)
        scale = np.maximum(np.abs(change), np.abs(slope))
        apart = np.divide(np.abs(change - slope), scale, out=np.zeros_like(scale), where=scale > 0)
        errors.append(float(np.median(apart)))
    return min(errors)


def _checked(bare: Classifier, plain: dict[str, Any], request: dict[str, Any], images: dict) -> dict[str, Any]:
    """Accuracy without any flag, and what the checks say of it."""
    pixels, labels = images["labelled"][:PROBED], images["labels"][:PROBED]
    if labels.max() >= bare.num_classes:
        return {"checks": [f"the data set has more classes than the model's {bare.num_classes}"]}
    probe = probe_preprocessing(bare, (pixels / 255).astype(np.float32), labels)
    names = tuple(str(name) for name in images["names"])
    checks = clean_checks(probe, Classes(bare.num_classes, names))
    reply = {
        "bare": float(np.mean(_logits(bare, images["labelled"]).argmax(-1) == images["labels"])),
        "checks": [f"{check.name}: {check.evidence}" for check in checks if check.passed is False],
    }
    if probe.better is not None:
        better = probe.better
        flags = {"channels": better.channels, "preprocessing": better.preprocessing}
        flags |= {} if better.preprocessing else {"bounds": better.bounds}
        advised = load_classifier(request["path"], **plain | flags)
        predictions = _logits(advised, images["labelled"]).argmax(-1)
        reply["advice"] = better.flags(probe.declared)
        reply["advised"] = float(np.mean(predictions == images["labels"]))
        reply["advised_in_order"] = float(np.mean(predictions == images["in_order"]))
    return reply


if __name__ == "__main__":
    serve(answer)

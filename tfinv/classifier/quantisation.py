"""Quantised layers of a Keras model, and what they make of its gradients."""

import collections
from typing import Any

from tfinv.classifier.prediction import ITSELF

_SEPARATOR = "; "
_LEFT = ", which the copy leaves as they are"


def gradient_source(model: Any) -> str:
    """Returns what gradients a Keras model has, as a phrase for reports: its own, and which of its quantised layers change them.

    A layer that rounds its inputs (int8, float8) has a gradient of zero almost everywhere. Keras returns in its place that of the
    layer without the rounding, a straight-through estimate (Bengio et al. 2013, "Estimating or propagating gradients through
    stochastic neurons for conditional computation"). Where only weights are rounded (int4, GPTQ, AWQ), the gradient is exact.
    """
    rounding: collections.Counter[str] = collections.Counter()
    exact: collections.Counter[str] = collections.Counter()
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else ():
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None and not layer._layers:  # a model has the mode of its policy, too
            counts = rounding if mode == "float8" or getattr(layer, "inputs_quantizer", None) else exact
            counts[mode] += 1
    phrases = [f"straight-through estimates in {_count(counts)}" for counts in [rounding] if counts]
    phrases += [f"exact in {_count(counts)}, whose weights alone are quantised" for counts in [exact] if counts]
    return _SEPARATOR.join([ITSELF, *([", ".join(phrases)] if phrases else [])])


def of_copy(source: str, original: str) -> str:
    """Returns the phrase for a copy of a model, which leaves quantised layers alone.

    Args:
      source: how it was copied; `ITSELF` if it was not.
      original: the phrase for the model, or for another copy of it.
    """
    phrase = original.partition(_SEPARATOR)[2].removesuffix(_LEFT)
    if not phrase:
        return source
    return f"{source}{_SEPARATOR}{phrase}{_LEFT if source != ITSELF else ''}"


def _count(modes: "collections.Counter[str]") -> str:
    parts = [f"{count} {mode} layer{'s' if count > 1 else ''}" for mode, count in sorted(modes.items())]
    return " and ".join(parts)

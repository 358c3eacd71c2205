"""Settings of the published experiments, all in this one place, known without TensorFlow."""

from tfinv.experiments.settings.resolving import DEFAULTS, budget, reduction, resolve

__all__ = ["DEFAULTS", "budget", "reduction", "resolve"]

"""Evaluators: classifiers of other architectures and seeds than the victim's, which judge what a reconstruction shows."""

import os
import pathlib

import keras

from tfinv import files, models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.training.fit import fit
from tfinv.training.rates import default_rate


def train_evaluators(
    dataset: Dataset,
    *,
    architectures: tuple[str, ...],
    epochs: int,
    batch_size: int = 128,
    seed: int = 1000,
    workdir: str | os.PathLike | None = None,
) -> dict[str, Classifier]:
    """Trains one evaluator an architecture, as usual.

    Args:
      dataset: the victim's training split.
      architectures: names in `tfinv.models.MODELS`; none should be the victim's alone.
      epochs: of each.
      batch_size: of each.
      seed: of the first; the others follow. It must not be a victim's.
      workdir: keeps the trained evaluators, which are then not trained again; None keeps nothing.

    Returns:
      Classifiers by name, such as "mlp-1000".
    """
    found = {}
    for i, architecture in enumerate(architectures):
        name = f"{architecture}-{seed + i}"
        path = None if workdir is None else pathlib.Path(workdir) / f"{name}.keras"
        if path is not None and path.exists():
            model = keras.models.load_model(path)
        else:
            keras.utils.set_random_seed(seed + i)
            model = models.build(architecture, dataset.image_shape, dataset.num_classes)
            rate = default_rate(architecture, dataset.image_shape)
            model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            fit(model, dataset, epochs=epochs, batch_size=batch_size, seed=seed + i)
            if path is not None:
                with files.atomic_path(path) as temporary:
                    model.save(temporary)
        found[name] = Classifier.from_keras(model)
    return found

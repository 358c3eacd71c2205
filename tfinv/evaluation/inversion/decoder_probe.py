"""A decoder probe: how much of the image a decoder trained on the frozen encoder recovers.

The decoder that the defence was trained against proves nothing: the encoder learned to escape that one. This one starts anew and
trains to convergence, while the encoder stays as it is.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfinv import models, random
from tfinv.classifier.prediction import run_in_batches
from tfinv.training.reversal_bounds import error_levels


@dataclasses.dataclass(frozen=True)
class DecoderProbe:
    """Reconstructions of held-out images by a decoder probe.

    Attributes:
      images: (n, H, W, C) the reconstructions.
      errors: (n,) squared error relative to that of the mean image: 0 is perfect, 1 no better than the mean image.
      epochs: epochs of its training.
    """

    images: np.ndarray
    errors: np.ndarray
    epochs: int


def probe_encoder(
    classifier: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    *,
    layer: str = models.ENCODING,
    epochs: int = 50,
    patience: int = 3,
    batch_size: int = 128,
    seed: int = 0,
) -> DecoderProbe:
    """Trains a decoder on the frozen encoder.

    Args:
      classifier: the victim, a functional model with the layer `layer`.
      images: (m, H, W, C) in [0, 1], for training the decoder; a tenth, drawn by seed, decides when to stop.
      labels: (m,).
      held_out: (n, H, W, C) images that it then reconstructs.
      layer: the encoder's last layer.
      epochs: largest number of epochs.
      patience: epochs without a lower error on that tenth after which training stops.
      batch_size: images in one training step.
      seed: of the decoder's weights and of that tenth.

    Raises:
      UserError: the model has no such layer.
    """
    encoder, _ = models.split(classifier, layer)
    # The last tenth must hold all classes, also of a data set in class order.
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    encodings = run_in_batches(_inference(encoder), images)
    standardise = _standardiser(encodings)
    encodings = standardise(encodings)
    with random.seeded(seed):
        decoder = models.decoder(encodings.shape[1:], images.shape[1:])
    decoder.compile(keras.optimizers.Adam(1e-3), "mse")
    cut = max(1, len(images) // 10)
    stop = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    history = decoder.fit(
        encodings[:-cut],
        images[:-cut],
        validation_data=(encodings[-cut:], images[-cut:]),
        epochs=epochs,
        batch_size=min(batch_size, len(images) - cut),
        callbacks=[stop],
        verbose=0,
    )
    held_out_encodings = standardise(run_in_batches(_inference(encoder), held_out))
    reconstructions = run_in_batches(_inference(decoder), held_out_encodings)
    squared = np.square(reconstructions - held_out).reshape(len(held_out), -1).mean(1)
    return DecoderProbe(reconstructions, squared / error_levels(images, labels)[0], len(history.history["loss"]))


def _standardiser(encodings):
    """Returns a function that maps each unit of these encodings to mean 0 and standard deviation 1.

    The decoder's batch normalisation does not do it: its epsilon lets an encoder hide in small numbers, and on a small
    training set its moving averages stay near where they began.
    """
    low, width = encodings.min(axis=0), np.ptp(encodings, axis=0)
    width = np.where(width > 0, width, 1)
    unit = (encodings - low) / width
    mean, deviation = unit.mean(axis=0), unit.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return lambda x: (((x - low) / width - mean) / deviation).astype(np.float32)


def _inference(model):
    # Not `predict`, which traces anew for every model and then warns of it.
    spec = tf.TensorSpec(model.input_shape, tf.float32)
    return tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)

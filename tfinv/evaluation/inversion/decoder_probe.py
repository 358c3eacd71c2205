"""A fresh decoder on the frozen encoder: what the encoding still says of the image, to one who may train on it.

The decoder that the defence was trained against is no witness: the encoder learned to escape that one. This one starts anew,
trains to convergence, and the encoder cannot answer.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfinv import models
from tfinv.prediction import run_in_batches
from tfinv.training.destruction import error_levels


@dataclasses.dataclass(frozen=True)
class DecoderProbe:
    """What the fresh decoder makes of images it was not trained on.

    Attributes:
      images: (n, H, W, C) its reconstructions.
      errors: (n,) squared error relative to that of the mean image: 0 is perfect, 1 no better than the mean image.
      epochs: how long it trained.
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
      held_out: (n, H, W, C) images on which it is judged.
      layer: the encoder's last layer.
      epochs: at most.
      patience: epochs without a better error on that tenth before it stops.
      batch_size: of the training.
      seed: of the decoder's weights.

    Raises:
      UserError: the model has no such layer.
    """
    encoder, _ = models.split(classifier, layer)
    # The last tenth must hold all classes, also of a data set in class order.
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    encodings = run_in_batches(_inference(encoder), images)
    standard = _standardiser(encodings)
    encodings = standard(encodings)
    keras.utils.set_random_seed(seed)
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
    found = run_in_batches(_inference(decoder), standard(run_in_batches(_inference(encoder), held_out)))
    squared = np.square(found - held_out).reshape(len(found), -1).mean(1)
    return DecoderProbe(found, squared / error_levels(images, labels)[0], len(history.history["loss"]))


def _standardiser(encodings):
    """Maps each number of these encodings to mean 0 and standard deviation 1.

    The decoder's batch normalisation does not do it: its epsilon lets an encoder hide in small numbers, and on a small
    training set its moving averages stay near where they began.
    """
    low, width = encodings.min(axis=0), np.ptp(encodings, axis=0)
    width = np.where(width > 0, width, 1)
    unit = (encodings - low) / width
    mean, spread = unit.mean(axis=0), unit.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    return lambda x: (((x - low) / width - mean) / spread).astype(np.float32)


def _inference(model):
    # Not `predict`, which traces anew for every model and then warns of it.
    spec = tf.TensorSpec(model.input_shape, tf.float32)
    return tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)

"""L-inf PGD of other libraries behind one signature, each set up as its documentation tells a user of TensorFlow 2.

Each function takes a Keras model with logits and returns a `Run`, so that the library compiles only once. A library that runs the
model eagerly has a second entry with the model in a `tf.function`, which its documentation does not mention but its interface
allows; the page compares with the faster of the two.
"""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.settings import Run, Settings


def foolbox(model: keras.Model, compiled: bool = False) -> Run:
    """Sets up Foolbox: `TensorFlowModel` and `LinfPGD`, its own `repeat` for the restarts, batches in a loop as in its examples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no PyTorch
        import foolbox as fb
    victim = fb.TensorFlowModel(_callable(model, compiled), bounds=(0, 1))

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        tf.random.set_seed(seed)
        attack: Any = fb.attacks.LinfPGD(abs_stepsize=settings.step_size, steps=settings.steps, random_start=True)
        if settings.restarts > 1:
            attack = attack.repeat(settings.restarts)
        adversarial = [
            attack(victim, x, y, epsilons=settings.eps)[1].numpy() for x, y in _batches(images, labels, settings)
        ]
        return np.concatenate(adversarial), _gradients(images, settings)

    return run


def art(model: keras.Model, compiled: bool = False) -> Run:
    """Sets up ART: `TensorFlowV2Classifier` and its attack on tensors, with its own restarts and batches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.attacks.evasion import ProjectedGradientDescentTensorFlowV2
        from art.estimators.classification import TensorFlowV2Classifier
    victim = TensorFlowV2Classifier(
        _callable(model, compiled),
        nb_classes=model.output_shape[-1],
        input_shape=model.input_shape[1:],
        loss_object=keras.losses.CategoricalCrossentropy(from_logits=True),
        clip_values=(0.0, 1.0),
    )

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        np.random.seed(seed)  # the library draws from the global generator
        attack = ProjectedGradientDescentTensorFlowV2(
            victim,
            norm=np.inf,
            eps=settings.eps,
            eps_step=settings.step_size,
            max_iter=settings.steps,
            num_random_init=settings.restarts,
            batch_size=settings.batch_size,
            verbose=False,
        )
        return np.asarray(attack.generate(images, labels)), _gradients(images, settings)

    return run


def cleverhans(model: keras.Model) -> Run:
    """Sets up CleverHans: `projected_gradient_descent`, which compiles the gradient itself.

    It has no restarts: a loop does them, and keeps for each image the first result that is misclassified.
    """
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    predict = _callable(model, compiled=True)

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        tf.random.set_seed(seed)
        adversarial = []
        for x, y in _batches(images, labels, settings):
            best, solved = x, tf.zeros(len(x), tf.bool)
            for restart in range(settings.restarts):
                new = projected_gradient_descent(
                    model,
                    x,
                    settings.eps,
                    settings.step_size,
                    settings.steps,
                    np.inf,
                    clip_min=0.0,
                    clip_max=1.0,
                    y=y,
                    rand_init=True,
                )
                best = tf.where(solved[:, None, None, None], best, new)
                if restart + 1 < settings.restarts:
                    solved |= tf.argmax(predict(best), 1) != y
            adversarial.append(best.numpy())
        return np.concatenate(adversarial), _gradients(images, settings)

    return run


PEERS: dict[str, Callable[[keras.Model], Run]] = {
    "Foolbox": foolbox,
    "Foolbox, tf.function": lambda model: foolbox(model, compiled=True),
    "ART": art,
    "ART, tf.function": lambda model: art(model, compiled=True),
    "CleverHans": cleverhans,
}


def _callable(model: keras.Model, compiled: bool) -> Callable:
    if not compiled:
        return model

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def infer(x):
        return model(x, training=False)

    return lambda x, training=False: infer(x)  # ART says training=False


def _batches(images: np.ndarray, labels: np.ndarray, settings: Settings):
    for start in range(0, len(images), settings.batch_size):
        batch = slice(start, start + settings.batch_size)
        yield tf.constant(images[batch]), tf.constant(labels[batch])


def _gradients(images: np.ndarray, settings: Settings) -> int:
    return len(images) * settings.steps * settings.restarts

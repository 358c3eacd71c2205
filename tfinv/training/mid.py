"""MID: mutual information regularisation (Wang et al. 2021, "Improving robustness to model inversion attacks", AAAI)."""

import dataclasses
import math
from typing import ClassVar

import keras
import tensorflow as tf

from tfinv import models
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan, split_with_weights
from tfinv.training.defence import Defence, check_range

# softplus(-5) = .0067: almost no noise at the start, as in the deep variational information bottleneck (Alemi et al. 2017).
_OFFSET = 5.0


@dataclasses.dataclass(frozen=True)
class MID(Defence):
    """Variational information bottleneck: the encoding is noisy, and its information about the image is penalised.

    Attributes:
      beta: weight of the divergence; .003 to .03 in the field's comparisons.
    """

    NAME: ClassVar[str] = "mid"
    COMBINES: ClassVar[bool] = True
    beta: float = 0.01

    def __post_init__(self):
        check_range(self, 0.0, math.inf, "beta")

    def build(self, plan: Plan) -> "MIDTraining":
        """See `MIDTraining`."""
        return MIDTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class MIDTraining(ClassifierTraining):
    """Trains CE(C(mu + sigma e), y) + beta KL(N(mu, sigma^2) || N(0, 1)), e standard normal (Wang et al. 2021, section 4.2).

    mu and softplus^-1(sigma) + 5 are linear in the encoding of the given classifier. The exported classifier is C(mu), without
    noise, and mu is its layer "encoding". The further arguments are those of `ClassifierTraining`.

    Args:
      classifier: with a layer "encoding", whose weights are copied.
      defence: hyper-parameters.

    Raises:
      UserError: no such layer, or nothing before it has weights.
    """

    def __init__(self, classifier, defence: MID = MID(), **kwargs):
        split_with_weights(classifier, "mid")
        super().__init__(with_bottleneck(classifier), extra_metrics=("divergence",), **kwargs)
        self.defence = defence
        _, self.head = models.split(self.classifier)
        features, mean = (self.classifier.get_layer(name).output for name in (_FEATURES, models.ENCODING))
        # Keras stores weights by the first attribute, in alphabetical order, that reaches them: a name before "layers" would make
        # the backups of earlier versions unreadable.
        self.sigma_layer = keras.layers.Dense(features.shape[-1], name="sigma")
        self.statistics = keras.Model(self.classifier.inputs[0], [mean, self.sigma_layer(features)], name="statistics")

    @property
    def trained_variables(self):
        """Variables of the classifier and of the layer for sigma."""
        return [*self.classifier.trainable_variables, *self.sigma_layer.trainable_variables]

    def objective(self, labels, *inputs):
        """Returns the cross-entropy of one noisy encoding plus the weighted divergence, and the logits."""
        mean, shifted = (tf.cast(t, tf.float32) for t in self.statistics(inputs[0], training=True))
        deviation = tf.nn.softplus(shifted - _OFFSET)
        seed = self.step_seed()
        noise = replicas.draw_rows(lambda shape: tf.random.stateless_normal(shape, seed), tf.shape(mean))
        logits = self.head(mean + deviation * noise, training=True)
        divergence = tf.reduce_mean(normal_divergence(mean, deviation))
        self.extra_metrics["divergence"].update_state(divergence)
        return self.classification(labels, logits) + self.defence.beta * divergence, logits


def normal_divergence(mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """Returns (batch,) KL(N(mean, deviation^2) || N(0, 1)) in nats, summed over all axes but the first."""
    terms = 0.5 * (tf.square(mean) + tf.square(deviation) - 1.0) - tf.math.log(deviation)
    return tf.reduce_sum(terms, axis=list(range(1, len(terms.shape))))


_FEATURES = "features"


def with_bottleneck(classifier: keras.Model) -> keras.Model:
    """Copies a classifier, renames its layer "encoding" to "features", and adds a linear layer "encoding" after it.

    Args:
      classifier: functional or Sequential; the copy starts with its weights.
    """

    def copy(layer):
        config = layer.get_config()
        return type(layer).from_config(config | {"name": _FEATURES} if layer.name == models.ENCODING else config)

    def call(layer, *args, **kwargs):
        output = layer(*args, **kwargs)
        if layer.name != _FEATURES:
            return output
        return keras.layers.Dense(output.shape[-1], name=models.ENCODING)(output)

    flat = keras.Model(classifier.inputs[0], classifier.outputs[0], name=classifier.name)
    clone = keras.models.clone_model(flat, clone_function=copy, call_function=call)
    for layer in (layer for layer in flat.layers if layer.weights):
        clone.get_layer(_FEATURES if layer.name == models.ENCODING else layer.name).set_weights(layer.get_weights())
    return clone

"""BiDO: bilateral dependency optimisation (Peng et al. 2022, KDD, arXiv 2206.05483), with HSIC as its measure."""

import dataclasses
import math
from typing import ClassVar

import keras
import tensorflow as tf

from tfinv import models
from tfinv.errors import expected
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan, split_with_weights
from tfinv.training.defence import Defence, check_range

KERNELS = ("linear", "gaussian")
_RIDGE = 1e-5


@dataclasses.dataclass(frozen=True)
class BiDO(Defence):
    """Makes hidden layers depend little on the image and much on the label.

    Attributes:
      image_weight: lambda_x, of the dependence between image and hidden layers.
      label_weight: lambda_y, of the dependence between hidden layers and label.
      width: sigma of the Gaussian kernels, in units of sqrt(dimensions).
      label_kernel: "linear", as in the authors' code, or "gaussian".
      normalised: `normalised_hsic`, for which the authors chose the weights, or `hsic` itself, which is far smaller.
    """

    NAME: ClassVar[str] = "bido"
    COMBINES: ClassVar[bool] = True
    image_weight: float = 0.05
    label_weight: float = 0.5
    width: float = 5.0
    label_kernel: str = "linear"
    normalised: bool = True

    def __post_init__(self):
        check_range(self, 0.0, math.inf, "image_weight", "label_weight")
        check_range(self, 1e-6, math.inf, "width")
        if self.label_kernel not in KERNELS:
            raise expected(f"a label_kernel among {', '.join(KERNELS)}", repr(self.label_kernel), "Change --defense.")

    def build(self, plan: Plan) -> "BiDOTraining":
        """See `BiDOTraining`."""
        return BiDOTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class BiDOTraining(ClassifierTraining):
    """Trains CE + lambda_x sum_j HSIC(x, z_j) - lambda_y sum_j HSIC(z_j, y) (Peng et al. 2022, equation 4).

    The z_j are the outputs of the stages: of pooling layers, of the additions of residual blocks, and of the encoding. The further
    arguments are those of `ClassifierTraining`.

    Args:
      classifier: with a layer "encoding".
      defence: hyper-parameters.

    Raises:
      UserError: no such layer, or nothing before it has weights.
    """

    def __init__(self, classifier, defence: BiDO = BiDO(), **kwargs):
        split_with_weights(classifier, "bido")
        super().__init__(classifier, extra_metrics=("image_dependence", "label_dependence"), **kwargs)
        self.defence = defence
        stages = [layer.output for layer in classifier.layers if _ends_stage(layer)]
        self.staged = keras.Model(classifier.inputs[0], [*stages, classifier.outputs[0]], name="staged")

    def objective(self, labels, *inputs):
        """Returns cross-entropy plus both dependences, summed over the stages, and the logits."""
        defence = self.defence
        *hidden, logits = self.staged(inputs[0], training=True)
        measure = normalised_hsic if defence.normalised else hsic
        # Dependence is a property of the whole batch.
        image = gaussian_kernel(replicas.gather(inputs[0]), defence.width)
        one_hot = replicas.gather(tf.one_hot(labels, logits.shape[-1]))
        label = linear_kernel(one_hot) if defence.label_kernel == "linear" else gaussian_kernel(one_hot, defence.width)
        kernels = [gaussian_kernel(replicas.gather(z), defence.width) for z in hidden]
        on_image = tf.add_n([measure(image, k) for k in kernels])
        on_label = tf.add_n([measure(label, k) for k in kernels])
        self.extra_metrics["image_dependence"].update_state(on_image)
        self.extra_metrics["label_dependence"].update_state(on_label)
        loss = self.classification(labels, logits) + defence.image_weight * on_image - defence.label_weight * on_label
        return loss, logits


def gaussian_kernel(x: tf.Tensor, width: float) -> tf.Tensor:
    """Returns (batch, batch) exp(-|x_i - x_j|^2 / (2 width^2 d)) of the examples x, (batch, ...) with d numbers each."""
    flat = tf.reshape(tf.cast(x, tf.float32), [tf.shape(x)[0], math.prod(x.shape[1:])])
    squares = tf.reduce_sum(tf.square(flat), axis=1)
    distances = squares[:, None] + squares[None, :] - 2.0 * tf.matmul(flat, flat, transpose_b=True)
    return tf.exp(-tf.maximum(distances, 0.0) / (2.0 * width**2 * flat.shape[1]))


def linear_kernel(x: tf.Tensor) -> tf.Tensor:
    """Returns (batch, batch) inner products of the examples x, (batch, d)."""
    return tf.matmul(x, x, transpose_b=True)


def hsic(kernel_x: tf.Tensor, kernel_y: tf.Tensor) -> tf.Tensor:
    """Returns tr(K H L H) / (m - 1)^2 of the kernels K and L, (m, m), H = 1 - 1/m (Gretton et al. 2005, definition 2)."""
    m = tf.cast(tf.shape(kernel_x)[0], tf.float32)
    return tf.reduce_sum(_centre(kernel_x) * kernel_y) / tf.square(m - 1.0)


def normalised_hsic(kernel_x: tf.Tensor, kernel_y: tf.Tensor) -> tf.Tensor:
    """Returns tr(R_K R_L), R_K = HKH (HKH + 1e-5 m)^-1 (Fukumizu et al. 2008, section 2.2; HSIC bottleneck, Ma et al. 2020)."""
    return tf.reduce_sum(_whiten(kernel_x) * _whiten(kernel_y))


def _centre(kernel):
    rows = kernel - tf.reduce_mean(kernel, axis=0, keepdims=True)
    return rows - tf.reduce_mean(rows, axis=1, keepdims=True)


def _whiten(kernel):
    centred = _centre(kernel)
    m = tf.shape(kernel)[0]
    ridge = _RIDGE * tf.cast(m, tf.float32) * tf.eye(m)
    return tf.matmul(centred, tf.linalg.inv(centred + ridge))


def _ends_stage(layer):
    pooling = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D)
    pools = isinstance(layer, pooling) and getattr(layer, "pool_size", None) != (1, 1)
    return layer.name == models.ENCODING or pools or isinstance(layer, keras.layers.Add)

"""Evidence with planted members: a linear target that is surer of its members than of others, and shadow models of it."""

import functools

import numpy as np
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.membership import Evidence

SHAPE, CLASSES, COUNT, SHADOWS = (9, 9, 1), 3, 120, 8
_FAINT, _STRONG, _NOISE = 0.08, 0.5, 0.3
# Bands of rows: mirroring leaves the class, and a shift moves a third of its band into the next.
_TEMPLATES = np.zeros((CLASSES, *SHAPE), np.float32)
for _label in range(CLASSES):
    _TEMPLATES[_label, 3 * _label : 3 * _label + 3] = 1.0
_KERNEL = (2.0 * _TEMPLATES.reshape(CLASSES, -1).T).astype(np.float32)


@functools.cache
def target():
    """A classifier whose logits are the brightness of each class's band."""
    return Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, _KERNEL.shape[0]]) @ _KERNEL,
        input_shape=SHAPE,
        num_classes=CLASSES,
        outputs="logits",
    )


def pictures(labels, members, seed=0):
    """(n, H, W, C) images whose class shows more strongly in members."""
    rng = np.random.default_rng(seed)
    contrast = np.where(members, _STRONG, _FAINT)[:, None, None, None]
    noise = rng.normal(0.3, _NOISE, (len(labels), *SHAPE))
    return np.clip(0.6 * contrast * _TEMPLATES[labels] + noise, 0, 1).astype(np.float32)


def halves(count, shadows=SHADOWS, seed=3):
    """(n, S) bool members of complementary pairs of random halves."""
    rng = np.random.default_rng(seed)
    first = np.argsort(rng.random((count, shadows // 2)), axis=0) < count // 2
    return np.stack([first, ~first], axis=2).reshape(count, -1)


def shadow_logits(labels, members, seed=5):
    """(S, n, 1, K) logits of shadow models that see their members as the target sees its own."""
    drawn = [pictures(labels, inside, seed + number) for number, inside in enumerate(members.T)]
    return np.stack([x.reshape(len(labels), -1) @ _KERNEL for x in drawn])[:, :, np.newaxis]


@functools.cache
def planted(count=COUNT, seed=0):
    """Returns evidence without shadow models, and which examples are members: half of each class."""
    labels = np.arange(count) % CLASSES
    members = np.arange(count) // CLASSES % 2 == 0
    images = pictures(labels, members, seed)
    losses = np.random.default_rng(seed).uniform(0.9, 1.1, (count, 6))
    losses[members] *= np.linspace(1.0, 0.1, 6)
    others = np.arange(90) % CLASSES
    unseen = pictures(others, np.zeros(90, bool), seed + 1)
    population = Evidence.from_classifier(target(), unseen, others)
    evidence = Evidence.from_classifier(target(), images, labels, trajectory=losses, population=population)
    return evidence, members


def auc(scores, members):
    """Probability that a member scores higher than another, ties counted half."""
    inside, outside = scores[members][:, None], scores[~members][None]
    return float(np.mean((inside > outside) + 0.5 * (inside == outside)))

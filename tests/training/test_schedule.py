"""Schedules: today's training as the default, and what is refused."""

import keras
import numpy as np
import pytest

from stripes import small_net, stripes
from tfinv.errors import UserError
from tfinv.training.augmentation import crop_flip
from tfinv.training.base import ClassifierTraining
from tfinv.training.optimizers import AveragedSGD
from tfinv.training.schedule import Schedule

DATA = stripes(20)


def compiled(schedule, steps=10):
    training = ClassifierTraining(small_net(DATA))
    schedule.compile(training, DATA.image_shape, steps)
    return training


def test_the_default_is_adam_along_a_cosine_and_nothing_else():
    training = compiled(Schedule())
    optimizer = training.optimizer
    assert type(optimizer) is keras.optimizers.Adam
    expected = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, 10), name=optimizer.name)
    assert optimizer.get_config() == expected.get_config()
    assert training.augmentation is None
    assert training.label_smoothing == 0


def test_every_part_arrives():
    schedule = Schedule(
        optimizer="sgd",
        learning_rate=0.2,
        rate_schedule="piecewise",
        weight_decay=5e-4,
        augmentation="crop_flip(padding=2)",
        label_smoothing=0.1,
        ema=0.99,
    )
    training = compiled(schedule)
    optimizer = training.optimizer
    assert isinstance(optimizer, AveragedSGD)
    assert (optimizer.momentum, optimizer.nesterov, optimizer.l2, optimizer.ema_momentum) == (0.9, True, 5e-4, 0.99)
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    assert (training.augmentation.func, training.augmentation.keywords) == (crop_flip, {"padding": 2})
    assert training.label_smoothing == 0.1
    assert float(compiled(Schedule(optimizer="sgd")).optimizer.learning_rate) == pytest.approx(0.01)


def test_the_last_images_are_held_out():
    train, held_out = Schedule(validation=6).split(DATA)
    np.testing.assert_array_equal(train.images, DATA.images[:14])
    np.testing.assert_array_equal(held_out.labels, DATA.labels[14:])
    assert Schedule().split(DATA) == (DATA, None)
    with pytest.raises(UserError, match="below the 20 training images"):
        Schedule(validation=20).split(DATA)
    with pytest.raises(UserError, match="all 2 classes"):
        Schedule(validation=19).split(DATA)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"architecture": "tower"}, "tower"),
        ({"optimizer": "lion"}, "among adam, sgd"),
        ({"rate_schedule": "linear"}, "among cosine, cyclic"),
        ({"augmentation": "cutmix"}, "one of crop, crop_flip, none.*--augmentation"),
        ({"augmentation": "crop(padding=0)"}, "padding of crop of at least 1. Received: 0. Change --augmentation"),
        ({"augmentation": "crop(pad=2)"}, "among padding. Received: pad. Change --augmentation"),
        ({"precision": "float16"}, "among float32"),
        ({"epochs": 0}, "epochs of at least 1"),
        ({"batch_size": 0}, "batch_size of at least 1"),
        ({"learning_rate": 0.0}, "learning_rate above 0"),
        ({"learning_rate": float("nan")}, "learning_rate above 0"),
        ({"weight_decay": -1.0}, "weight_decay of at least 0"),
        ({"label_smoothing": 1.0}, "label_smoothing of at least 0 and below 1"),
        ({"ema": 1.0}, "ema of at least 0 and below 1"),
        ({"warmup": -0.1}, "warmup of at least 0"),
        ({"warmup": 0.1, "rate_schedule": "constant"}, "with a warm-up"),
        ({"validation": -1}, "validation of at least 0"),
        ({"validation_every": 0}, "validation_every of at least 1"),
        ({"validation_attack": "pgd"}, "validation above 0"),
        ({"validation_every": 2}, "validation above 0"),
        ({"validation_attack": "zap", "validation": 5}, "zap"),
    ],
)
def test_wrong_values_are_named(fields, message):
    with pytest.raises(UserError, match=message):
        Schedule(**fields)

"""Settings of the experiment `frontier`."""

from typing import Any

from tfinv.experiments.settings.poster import SCHEDULE_DEFAULTS
from tfinv.experiments.settings.robust_or_private import OBJECT_EVALUATORS, ROBUST

DEFAULTS: dict[str, dict[str, Any]] = {
    "frontier": ROBUST
    | SCHEDULE_DEFAULTS
    | {
        "dataset": "mnist",
        # So small that two cores train and attack 42 of them in some two hours.
        "architecture": "cnn(filters=(16,32,64),units=64)",
        "train_limit": 10000,
        "auxiliary_limit": 5000,
        "limit": 2000,
        "epochs": 8,
        "validation": 1000,
        "anti_weights": [0.8, 0.08],
        "anti_training": "atat(weight={weight})",
        "robust_eps": [0.05, 0.1, 0.2, 0.3],
        "robust_training": "adversarial(eps={eps},steps=7,ramp=.5)",
        "reversal": "reversal",
        "eps": [0.15],
        "attacks": ["autoattack"],
        "attack_limit": 250,
        "methods": ["gradient"],
        "samples": 4,
        "evaluators": ["mlp", "softmax", "cnn+adversarial"],
        "evaluator_epochs": 8,
        "decoder_images": 2000,
        "seeds": 3,
    }
}

BY_DATASET: dict[tuple[str, str], dict[str, Any]] = {
    ("frontier", "cifar10"): {
        # A third of the time of a ResNet-20, and evaluators of another family.
        "architecture": "vgg16(width=16)",
        "train_limit": 30000,
        "epochs": 8,
        "optimizer": "sgd",
        "rate_schedule": "cyclic",
        "weight_decay": 5e-4,
        "augmentation": "crop_flip",
        # One step in place of five: of the same reach, in less than half of the time.
        "anti_training": "atat(weight={weight},steps=1,step_size=2.5e-4)",
        "robust_eps": [1 / 255, 2 / 255, 4 / 255, 8 / 255],
        "robust_training": "fast(eps={eps},ramp=.2)",
        "eps": [2 / 255],
        "evaluators": OBJECT_EVALUATORS,
        "evaluator_epochs": 12,
        "attack_limit": 150,
        "methods": ["projected"],
        "decoder_images": 0,
        "seeds": 1,
    }
}
# Data sets whose eps are known; those of digits mean nothing for others.
DATASETS = ("mnist", "mnist5k", "cifar10")

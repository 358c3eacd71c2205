"""Settings of the experiment `membership`."""

from typing import Any

from tfinv.experiments.settings.poster import SCHEDULE_DEFAULTS

# Training as usual, adversarial training by two recipes, and every defence of privacy.
_PRIVATE = ["reversal", "bido", "dp_sgd", "mid", "nls"]

DEFAULTS: dict[str, dict[str, Any]] = {
    "membership": SCHEDULE_DEFAULTS
    | {
        "dataset": "mnist",
        "image_size": None,
        # The pool: each shadow is trained on half of it. Small, so that networks overfit and two cores train 128 of them.
        "train_limit": 2000,
        "limit": 1000,
        "architecture": "cnn(filters=(16,32),units=64)",
        "epochs": 20,
        # Of 1,000 images: with larger batches 20 epochs are too few steps to learn, and nothing is remembered.
        "batch_size": 32,
        "defenses": [
            "none",
            "adversarial(eps=.1,steps=7,ramp=.5)",
            "trades(eps=.1,steps=7,ramp=.5)",
            *_PRIVATE,
        ],
        "shadows": 16,
        # In place of AutoAttack, of whose time the trainings would be a small part; its checks look for masked gradients.
        "attacks": ["apgd"],
        "eps": [0.1],
        "attack_limit": 200,
        # With two, the interval over targets is nearly as wide as the scale.
        "attack_targets": 4,
        "gradients": "folded",
        "seed": 0,
        "workers": 1,
        "scheduler": None,
    }
}

BY_DATASET: dict[tuple[str, str], dict[str, Any]] = {
    ("membership", "mnist5k"): {
        "train_limit": 1000,
        "limit": 500,
        "batch_size": 16,
        "defenses": ["none", "adversarial(eps=.1,steps=7,ramp=.5)", "reversal"],
        "shadows": 8,
        "attacks": ["pgd(steps=20)"],
        "attack_limit": 100,
    },
    ("membership", "cifar10"): {
        "defenses": [
            "none",
            "adversarial(eps=4/255,steps=7,ramp=.5)",
            "trades(eps=4/255,steps=7,ramp=.5)",
            *_PRIVATE,
        ],
        "eps": [4 / 255],
    },
}
# Data sets whose eps are known; those of digits mean nothing for others.
DATASETS = ("mnist", "mnist5k", "cifar10")

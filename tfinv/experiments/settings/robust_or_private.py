"""Settings of the experiments `cifar10` and `fer2013`, and their budgets."""

from typing import Any

from tfinv.experiments.settings.poster import SCHEDULE_DEFAULTS

# The inversion of Mejia et al. 2019 itself, and the other two of their paper: at several scales, and with a generator.
INVERSIONS = ("projected", "multiscale", "gmi")

# Evaluators of objects and faces.
OBJECT_EVALUATORS = ["cnn", "resnet(depth=14)", "resnet(depth=14)+fast(eps=4/255,ramp=.3)"]

# `small` is sized for two cores: a VGG16 of a quarter of the width, the thin ResNet-20, few epochs. `full` is the source's scale.
BUDGETS: dict[str, dict[str, Any]] = {
    "small": {
        "plain_architecture": "vgg16(width=16)",
        "architecture": "resnet",
        "epochs": 15,
        "robust_epochs": 20,
        "robust_training": "fast(eps=8/255,ramp=.2)",
    },
    "full": {
        "plain_architecture": "vgg16",
        "architecture": "resnet18",
        "epochs": 100,
        "robust_epochs": 100,
        "robust_training": "adversarial(eps=8/255,steps=10,step_size=2/255)",
        "limit": None,
        "attack_limit": 10000,
        "evaluator_epochs": 30,
    },
}
# Settings in which a budget differs for one experiment.
EXPERIMENT_BUDGETS: dict[tuple[str, str], dict[str, Any]] = {
    ("fer2013", "small"): {
        # Of 48 x 48: at 32 x 32 a network costs less than half, and the ordinary ResNet still has its 60 %.
        "image_size": [32, 32],
        # At 8/255 a ResNet-20 learns nothing but the commonest class.
        "robust_training": "fast(eps=4/255,ramp=.6)",
        "robust_epochs": 15,
        "eps": [4 / 255],
        "attack_limit": 300,
        "evaluator_epochs": 10,
    }
}

# Mejia et al. 2019 give no settings of their trainings: these are the usual ones of the networks. `--budget` has the rest.
ROBUST: dict[str, Any] = {
    "auxiliary": None,
    "auxiliary_limit": 5000,
    "image_size": None,
    "limit": None,
    "batch_size": 128,
    "attack_limit": 1000,
    "attacks": ["pgd(steps=40)", "autoattack"],
    "eps": [8 / 255],
    "gradients": "folded",
    "steps": 200,
    "samples": 8,
    "decoder_images": 0,
    "decoder_epochs": 15,
    "seed": 0,
    "seeds": 1,
    "workers": 1,
    "scheduler": None,
}
_BOTH_WAYS = (
    ROBUST
    | SCHEDULE_DEFAULTS
    | BUDGETS["small"]
    | {
        "budget": "small",
        "methods": list(INVERSIONS),
        "evaluators": OBJECT_EVALUATORS,
        "evaluator_epochs": 8,
        "optimizer": "sgd",
        "rate_schedule": "cyclic",
        "weight_decay": 5e-4,
        "augmentation": "crop_flip",
        "validation": 1000,
    }
)
DEFAULTS: dict[str, dict[str, Any]] = {
    "cifar10": _BOTH_WAYS | {"dataset": "cifar10", "train_limit": 45000, "featured": "bird"},
    "fer2013": _BOTH_WAYS
    | {"dataset": "fer2013", "train_limit": 26000, "auxiliary_limit": 2709, "featured": "surprise"},
}

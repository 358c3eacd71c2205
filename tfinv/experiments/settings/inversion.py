"""Settings of the experiment `inversion`."""

from typing import Any

from tfinv.experiments.settings.poster import INVERSIONS, SCHEDULE

# Every defence against none; `positive` is no defence, and `adversarial` one against attacks.
_DEFENCES = ("none", "reversal", "shuffled", "nls", "mid", "bido", "atat", "rounding", "dp_sgd")

DEFAULTS: dict[str, dict[str, Any]] = {
    "inversion": INVERSIONS
    | {
        "dataset": "mnist",
        "auxiliary": None,
        "auxiliary_limit": 5000,
        "defenses": list(_DEFENCES),
        "methods": None,
        "than": None,
        "evaluators": ["mlp", "softmax", "cnn+adversarial"],
        "samples": 2,
        "decoder_images": 2000,
        "decoder_epochs": 15,
        "image_size": None,
        "train_limit": None,
        "limit": 1000,
        "seed": 0,
        "seeds": 3,
        "workers": 1,
        "scheduler": None,
        **SCHEDULE,
    }
}

BY_DATASET: dict[tuple[str, str], dict[str, Any]] = {
    ("inversion", "mnist"): {"train_limit": 5000, "epochs": 6, "evaluator_epochs": 8, "steps": 200, "most_steps": 500},
    ("inversion", "att_faces"): {
        "auxiliary": "fer2013",
        "auxiliary_limit": 2000,
        "image_size": [56, 46],
        "epochs": 40,
        "batch_size": 28,
        "evaluator_epochs": 40,
        "steps": 200,
        "most_steps": 400,
        "samples": 1,
        "decoder_images": None,
    },
}

"""Settings of the poster's experiments: `demo`, `table1` and `faces`."""

import dataclasses
from typing import Any

from tfinv.training.schedule import Schedule

EPS = (0.05, 0.10, 0.25)

SCHEDULE_DEFAULTS: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Schedule)}
# Settings of a schedule that the published experiments let one change.
SCHEDULE = {name: SCHEDULE_DEFAULTS[name] for name in ("architecture", "epochs", "batch_size", "learning_rate")}
# Settings of the destruction defence.
DESTRUCTION: dict[str, Any] = {
    "strength": 10.0,
    "weight": 1.0,
    "bound": "class_mean",
    "ramp": 0.0,
    "decoder_steps": 2,
}
INVERSIONS: dict[str, Any] = {"labels": None, "evaluator_epochs": 5, "steps": 300, "most_steps": 2000}

_COMMON = SCHEDULE | DESTRUCTION | {"image_size": None, "train_limit": None, "limit": None, "seed": 0}
_ATTACKS = {"eps": list(EPS), "pgd_steps": 20, "attack_limit": 2000}

DEFAULTS: dict[str, dict[str, Any]] = {
    "demo": _COMMON
    | _ATTACKS
    | INVERSIONS
    | {
        "dataset": "mnist5k",
        "epochs": 8,
        "evaluator_epochs": 10,
        "steps": 100,
        "attack_limit": 500,
        "most_steps": 500,
    },
    "table1": _COMMON | _ATTACKS | {"dataset": "mnist", "seeds": 1},
    "faces": _COMMON | INVERSIONS | {"dataset": "att_faces", "seeds": 1},
}

# Settings in which an experiment differs on one data set.
BY_DATASET: dict[tuple[str, str], dict[str, Any]] = {
    # Half the size in each direction: a quarter of the time, and still a face.
    ("faces", "att_faces"): {
        "image_size": [56, 46],
        "epochs": 40,
        "batch_size": 28,
        "ramp": 0.5,
        "evaluator_epochs": 40,
        "steps": 200,
        "most_steps": 600,
    },
    ("faces", "mnist"): {"train_limit": 20000, "epochs": 5, "evaluator_epochs": 8, "steps": 200, "most_steps": 1000},
}

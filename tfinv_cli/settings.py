"""The settings of each published experiment, and the flags that change them: the one place for these figures."""

import dataclasses
from typing import Any

from tfinv import models
from tfinv.recipes.defended import Schedule
from tfinv.recipes.poster import Defence
from tfinv.recipes.table1 import EPS
from tfinv.training.destruction import BOUNDS
from tfinv_cli import flags
from tfinv_cli.command import UsageError

_DEFENCE = dataclasses.asdict(Defence())
DEFENCE = tuple(_DEFENCE)

_COMMON = _DEFENCE | {"image_size": None, "train_limit": None, "limit": None, "seed": 0}
_ATTACKS = {"eps": list(EPS), "pgd_steps": 20, "attack_limit": 2000}
_INVERSIONS = {"labels": None, "evaluator_epochs": 5, "steps": 300, "most_steps": 2000}

# Every defence against none; `positive` is no defence, and `adversarial` one against attacks.
COMPARED = ("none", "reversal", "shuffled", "nls", "mid", "bido", "atat", "rounding", "dp_sgd")

DEFAULTS: dict[str, dict[str, Any]] = {
    "demo": _COMMON
    | _ATTACKS
    | _INVERSIONS
    | {"dataset": "mnist5k", "epochs": 8, "evaluator_epochs": 10, "steps": 100},
    "table1": _COMMON | _ATTACKS | {"dataset": "mnist", "seeds": 1},
    "faces": _COMMON | _INVERSIONS | {"dataset": "att_faces", "seeds": 1},
}
DEFAULTS["demo"] |= {"attack_limit": 500, "most_steps": 500}
DEFAULTS["inversion"] = _INVERSIONS | {
    "dataset": "mnist",
    "auxiliary": None,
    "auxiliary_limit": 5000,
    "defenses": list(COMPARED),
    "attacks": None,
    "evaluators": ["mlp", "softmax", "cnn+adversarial"],
    "samples": 2,
    "decoder_images": 2000,
    "decoder_epochs": 15,
    "image_size": None,
    "train_limit": None,
    "limit": 1000,
    "seed": 0,
    "seeds": 3,
    **dataclasses.asdict(Schedule()),
}

# What a data set needs that differs from the experiment's own.
_BY_DATASET: dict[tuple[str, str], dict[str, Any]] = {
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
    ("faces", "mnist"): {"train_limit": 20000, "epochs": 5, "evaluator_epochs": 8, "steps": 200, "most_steps": 1000},
}

FLAGS = (
    flags.dataset(None),
    flags.DATA_DIR,
    flags.WORKDIR,
    flags.choice("architecture", None, models.MODELS, "Which network."),
    flags.whole("epochs", None, "Passes over the training images.", 1),
    flags.whole("batch_size", None, "Images in one training step.", 1),
    flags.real("learning_rate", None, "Of Adam at the start."),
    flags.real("strength", None, "Lambda: factor of the reversed gradient."),
    flags.real("weight", None, "Share of the reconstruction loss."),
    flags.choice("bound", None, BOUNDS, "What keeps the reversed loss from running away."),
    flags.real("ramp", None, "Part of the training over which lambda rises; 0 for none."),
    flags.whole("decoder_steps", None, "Steps of the decoder for one of the encoder.", 1),
    flags.whole("seed", None, "The first seed."),
    flags.whole("seeds", None, "How many seeds: a training and an evaluation each.", 1),
    flags.IMAGE_SIZE,
    flags.whole("train_limit", None, "Train on the first so many images only.", 1),
    flags.whole("limit", None, "Use the first so many test images only.", 1),
    flags.numbers("eps", None, "budgets, as fractions of the bounds' width."),
    flags.whole("pgd_steps", None, "steps of PGD.", 1),
    flags.whole("attack_limit", None, "attack the first so many test images.", 1),
    flags.LABELS,
    flags.text(
        "auxiliary", None, "Data set that the attackers have; otherwise the end of --dataset's own training split."
    ),
    flags.whole("auxiliary_limit", None, "How many images the attackers have.", 1),
    flags.spec_list("defenses", None, "Trainings to compare, as --defense of `tfinv train` takes them."),
    flags.spec_list("attacks", None, "Names of the inversions; otherwise all."),
    flags.spec_list(
        "evaluators", None, "ARCHITECTURE or ARCHITECTURE+TRAINING of each evaluator, such as cnn+adversarial."
    ),
    flags.whole("samples", None, "Reconstructions a class, where the start is drawn.", 1),
    flags.whole("decoder_images", None, "Training images of the fresh decoders.", 1),
    flags.whole("decoder_epochs", None, "Epochs of the fresh decoders, at most.", 1),
    flags.whole("evaluator_epochs", None, "training of the evaluators.", 1),
    flags.whole("steps", None, "inversion steps of the equal budget.", 1),
    flags.whole("most_steps", None, "inversion steps at most, until convergence.", 1),
)


def resolve(what: str, values: Any) -> dict[str, Any]:
    """The configuration: flags that were given over the experiment's own values.

    Raises:
      UsageError: a flag was given that this experiment does not have.
    """
    given = {k: v for k, v in values.flag_values_dict().items() if v is not None}
    foreign = sorted(given.keys() - DEFAULTS[what].keys() - {"data_dir", "workdir"})
    if foreign:
        known = ", ".join(f"--{k}" for k in sorted(DEFAULTS[what]))
        raise UsageError(f"Expected flags of {what}: {known}. Received: --{', --'.join(foreign)}.")
    name = given.get("dataset", DEFAULTS[what]["dataset"])
    return DEFAULTS[what] | _BY_DATASET.get((what, name), {}) | given

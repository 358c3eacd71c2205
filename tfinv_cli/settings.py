"""The settings of each published experiment, and the flags that change them: the one place for these figures."""

import dataclasses
from typing import Any

from tfinv.classifier import GRADIENTS
from tfinv.errors import from_flag
from tfinv.recipes import robust_or_private
from tfinv.recipes.attackers import STEPPED
from tfinv.recipes.poster import PosterTraining
from tfinv.recipes.table1 import EPS
from tfinv.training import defences
from tfinv.training.destruction import BOUNDS
from tfinv.training.schedule import Schedule
from tfinv_cli import flags, optimising
from tfinv_cli.command import UsageError, resolved

# Of a schedule, what the published experiments let one change.
_SCHEDULE = ("architecture", "epochs", "batch_size", "learning_rate")
_SCHEDULED = {name: getattr(Schedule(), name) for name in _SCHEDULE}
_DESTRUCTION = {k: v for k, v in dataclasses.asdict(PosterTraining()).items() if k != "schedule"}

_COMMON = _SCHEDULED | _DESTRUCTION | {"image_size": None, "train_limit": None, "limit": None, "seed": 0}
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
# Those of the poster's four models.
POSTER = tuple(DEFAULTS)
DEFAULTS["demo"] |= {"attack_limit": 500, "most_steps": 500}
DEFAULTS["inversion"] = _INVERSIONS | {
    "dataset": "mnist",
    "auxiliary": None,
    "auxiliary_limit": 5000,
    "defenses": list(COMPARED),
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
    **_SCHEDULED,
}

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
# What a budget is for one experiment alone.
_OWN_BUDGETS: dict[tuple[str, str], dict[str, Any]] = {
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

_OPTIMISED = dataclasses.asdict(Schedule())
# Mejia et al. 2019 give no settings of their trainings: these are the usual ones of the networks. `--budget` has the rest.
_ROBUST = {
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
}
# Evaluators of objects and faces.
_OF_OBJECTS = ["cnn", "resnet(depth=14)", "resnet(depth=14)+fast(eps=4/255,ramp=.3)"]
_BOTH_WAYS = (
    _ROBUST
    | _OPTIMISED
    | BUDGETS["small"]
    | {
        "budget": "small",
        "methods": list(robust_or_private.ATTACKS),
        "evaluators": _OF_OBJECTS,
        "evaluator_epochs": 8,
        "optimizer": "sgd",
        "rate_schedule": "cyclic",
        "weight_decay": 5e-4,
        "augmentation": "crop_flip",
        "validation": 1000,
    }
)
DEFAULTS["cifar10"] = _BOTH_WAYS | {"dataset": "cifar10", "train_limit": 45000, "featured": "bird"}
DEFAULTS["fer2013"] = _BOTH_WAYS | {
    "dataset": "fer2013",
    "train_limit": 26000,
    "auxiliary_limit": 2709,
    "featured": "surprise",
}
DEFAULTS["frontier"] = (
    _ROBUST
    | _OPTIMISED
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
)

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
        "evaluators": _OF_OBJECTS,
        "evaluator_epochs": 12,
        "attack_limit": 150,
        "methods": ["projected"],
        "decoder_images": 0,
        "seeds": 1,
    },
    ("faces", "mnist"): {"train_limit": 20000, "epochs": 5, "evaluator_epochs": 8, "steps": 200, "most_steps": 1000},
}

# What changes no figure's scale.
_SCALELESS = ("budget", "seed", "seeds", "workers", "featured")
# Data sets whose eps are known; those of digits mean nothing for others.
_FRONTIERS = ("mnist", "mnist5k", "cifar10")


def _own(what: str, dataset: str) -> dict[str, Any]:
    """An experiment's values on a data set."""
    return DEFAULTS[what] | _BY_DATASET.get((what, dataset), {})


def budget(what: str, name: str) -> dict[str, Any]:
    """What a budget gives an experiment."""
    return BUDGETS[name] | _OWN_BUDGETS.get((what, name), {})


def cut(what: str, config: dict[str, Any]) -> str:
    """In what a configuration of an experiment with budgets differs from its full budget; "" where it does not."""
    full = _own(what, config["dataset"]) | budget(what, "full")
    whole = {"image_size": "the images' own"}
    shown = [
        f"{k} {config[k]} in place of {whole.get(k, 'all') if full[k] is None else full[k]}"
        for k in full
        if k not in _SCALELESS and k in config and config[k] != full[k]
    ]
    return f"--budget={config['budget']}: {', '.join(shown)}" if shown else ""


FLAGS = (
    flags.dataset(None),
    flags.DATA_DIR,
    flags.WORKDIR,
    flags.RESUME,
    *optimising.made(None),
    flags.real("strength", None, "Lambda: factor of the reversed gradient."),
    flags.real("weight", None, "Share of the reconstruction loss."),
    flags.choice("bound", None, BOUNDS, "What keeps the reversed loss from running away."),
    flags.real("ramp", None, "Part of the training over which lambda rises; 0 for none."),
    flags.whole("decoder_steps", None, "Steps of the decoder for one of the encoder.", 1),
    flags.whole("seed", None, "The first seed.", most=flags.MOST_SEED),
    flags.whole("seeds", None, "How many seeds: a training and an evaluation each.", 1),
    flags.whole(
        "workers", None, "Processes that share a comparison's trainings and models, each with its part of the cores.", 1
    ),
    flags.IMAGE_SIZE,
    flags.whole("train_limit", None, "Train on the first so many images only.", 1),
    flags.whole("limit", None, "Use the first so many test images only.", 1),
    flags.numbers("eps", None, "budgets, as fractions of the bounds' width."),
    flags.whole("pgd_steps", None, "steps of PGD.", 1),
    flags.whole("attack_limit", None, "attack the first so many test images.", 1),
    flags.choice("budget", None, BUDGETS, "small for two cores, full for a GPU."),
    flags.text("plain_architecture", None, "A second network, trained as usual only."),
    flags.text(
        "robust_training", None, "Adversarial training, as --defense of `tfinv train`; a frontier's has {eps} in it."
    ),
    flags.whole("robust_epochs", None, "Passes of the adversarial training; otherwise the budget's.", 1),
    flags.attacks(None, "Attacks that judge robustness; a frontier's x is the last."),
    flags.choice("gradients", None, GRADIENTS, flags.GRADIENTS_HELP),
    flags.numbers("robust_eps", None, "eps of a frontier's adversarial trainings."),
    flags.numbers("anti_weights", None, "weights of a frontier's anti-adversarial trainings."),
    flags.text("anti_training", None, "A frontier's anti-adversarial training, with {weight} in it."),
    flags.text("reversal", None, "The destruction defence that a frontier combines with each training; '' for none."),
    flags.text("featured", None, "Class of which different samples are drawn side by side."),
    flags.LABELS,
    flags.text(
        "auxiliary", None, "Data set that the attackers have; otherwise the end of --dataset's own training split."
    ),
    flags.whole(
        "auxiliary_limit", None, "At most so many images for the attackers, less those that a victim learns from.", 1
    ),
    flags.spec_list(
        "defenses",
        None,
        "Trainings to compare, as --defense of `tfinv train` takes them.",
        defences.normal,
        example="none,reversal,mid(beta=.01)",
    ),
    flags.spec_list(
        "methods", None, "Names of the inversions, one alone for a frontier; otherwise all.", example="projected,gmi"
    ),
    flags.spec_list(
        "than",
        None,
        "Of the defenses those with which each of the others is compared; otherwise none.",
        defences.normal,
        example="none,adversarial",
    ),
    flags.spec_list(
        "evaluators",
        None,
        "ARCHITECTURE or ARCHITECTURE+TRAINING of each evaluator, such as cnn+adversarial.",
        example="mlp,cnn+adversarial",
    ),
    flags.whole("samples", None, "Reconstructions a class, where the start is drawn.", 1),
    flags.whole("decoder_images", None, "Training images of the fresh decoders; 0 leaves them out."),
    flags.whole("decoder_epochs", None, "Epochs of the fresh decoders, at most.", 1),
    flags.whole("evaluator_epochs", None, "training of the evaluators.", 1),
    flags.whole(
        "steps", None, "steps of the equal budget of miface, gradient and gmi; the others have numbers of their own.", 1
    ),
    flags.whole("most_steps", None, "inversion steps at most, until convergence.", 1),
)


def schedule(config: dict[str, Any]) -> Schedule:
    """Architecture and optimisation of a configuration."""
    names = [field.name for field in dataclasses.fields(Schedule)]
    return Schedule(**{name: config[name] for name in names if name in config})


def poster_training(config: dict[str, Any]) -> PosterTraining:
    """How the poster's models are trained in a configuration."""
    usual = schedule(config)
    with from_flag(", ".join(f"--{name}" for name in _DESTRUCTION)):
        return PosterTraining(usual, **{name: config[name] for name in _DESTRUCTION})


def resolve(what: str, values: Any) -> dict[str, Any]:
    """The configuration: flags that were given over the experiment's own values.

    Raises:
      UsageError: a flag was given that this experiment, or none of its methods, has.
    """
    given = {k: v for k, v in resolved(values).items() if v is not None}
    foreign = sorted(given.keys() - DEFAULTS[what].keys() - {"data_dir", "workdir"})
    if foreign:
        known = ", ".join(f"--{k}" for k in sorted(DEFAULTS[what]))
        raise UsageError(f"Expected flags of {what}: {known}. Received: --{', --'.join(foreign)}.")
    name = given.get("dataset", DEFAULTS[what]["dataset"])
    if what == "frontier" and name not in _FRONTIERS and (lacking := {"eps", "robust_eps"} - given.keys()):
        raise UsageError(
            f"Expected --{' and --'.join(sorted(lacking))}, as --dataset is none of {', '.join(_FRONTIERS)}. Received: none."
        )
    own = _own(what, name)
    chosen = given.get("budget", own.get("budget"))
    config = own | (budget(what, chosen) if chosen else {}) | given
    if (methods := config.get("methods")) and not STEPPED.intersection(methods):
        for useless in ("steps", "most_steps"):
            if useless in given:
                raise UsageError(
                    f"Expected no --{useless}, which only {', '.join(sorted(STEPPED))} take, with --methods={','.join(methods)}. "
                    f"Received: {given[useless]}."
                )
        config.pop("steps", None)
    # A configuration that is written out, as on a card, has the experiment's own.
    if config.get("decoder_images") == 0 and given.get("decoder_epochs", own.get("decoder_epochs")) != own.get(
        "decoder_epochs"
    ):
        raise UsageError("Expected --decoder_images above 0 with --decoder_epochs. Received: 0. Pass --decoder_images.")
    return config

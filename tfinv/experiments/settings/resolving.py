"""Settings of an experiment on a data set: its own values, and the arguments of a user in place of some."""

from collections.abc import Mapping
from typing import Any

from tfinv.catalogue import STEPPED_INVERSIONS
from tfinv.errors import UsageError
from tfinv.experiments.settings import frontier, inversion, membership, poster, robust_or_private
from tfinv.experiments.settings.robust_or_private import BUDGETS, EXPERIMENT_BUDGETS

DEFAULTS = poster.DEFAULTS | inversion.DEFAULTS | robust_or_private.DEFAULTS | frontier.DEFAULTS | membership.DEFAULTS
BY_DATASET = poster.BY_DATASET | inversion.BY_DATASET | frontier.BY_DATASET | membership.BY_DATASET
# Flags with an eps in them, which are asked for of data sets whose eps are not known, and the data sets whose are.
_EPS_FLAGS = {
    "frontier": ({"eps", "robust_eps"}, frontier.DATASETS),
    "membership": ({"eps", "defenses"}, membership.DATASETS),
}
# Settings that change no figure's scale.
_SCALELESS = ("budget", "seed", "seeds", "workers", "scheduler", "featured")


def budget(experiment: str, name: str) -> dict[str, Any]:
    """The settings of a budget for an experiment."""
    return BUDGETS[name] | EXPERIMENT_BUDGETS.get((experiment, name), {})


def reduction(experiment: str, config: Mapping[str, Any]) -> str:
    """Differences of a configuration from the full budget of its experiment, as text; "" for none."""
    full = _settings(experiment, config["dataset"]) | budget(experiment, "full")
    whole = {"image_size": "the images' own"}
    differences = [
        f"{k} {config[k]} in place of {whole.get(k, 'all') if full[k] is None else full[k]}"
        for k in full
        if k not in _SCALELESS and k in config and config[k] != full[k]
    ]
    return f"--budget={config['budget']}: {', '.join(differences)}" if differences else ""


def resolve(experiment: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration: the arguments, and the experiment's own values of all others.

    Args:
      experiment: one of `DEFAULTS`.
      arguments: by name, without those that are not given.

    Raises:
      UsageError: an argument that this experiment, or none of its methods, has.
    """
    foreign = sorted(arguments.keys() - DEFAULTS[experiment].keys() - {"data_dir", "workdir"})
    if foreign:
        flags = ", ".join(f"--{k}" for k in sorted(DEFAULTS[experiment]))
        raise UsageError(f"Expected flags of {experiment}: {flags}. Received: --{', --'.join(foreign)}.")
    dataset = arguments.get("dataset", DEFAULTS[experiment]["dataset"])
    flags_of_eps, datasets = _EPS_FLAGS.get(experiment, (set(), ()))
    lacking = flags_of_eps - arguments.keys()
    if dataset not in datasets and lacking:
        raise UsageError(
            f"Expected --{' and --'.join(sorted(lacking))}, as --dataset is none of {', '.join(datasets)}. "
            "Received: none."
        )
    settings = _settings(experiment, dataset)
    name = arguments.get("budget", settings.get("budget"))
    config = settings | (budget(experiment, name) if name else {}) | arguments
    if (methods := config.get("methods")) and not set(STEPPED_INVERSIONS).intersection(methods):
        for useless in ("steps", "most_steps"):
            if useless in arguments:
                raise UsageError(
                    f"Expected no --{useless}, which only {', '.join(STEPPED_INVERSIONS)} take, with "
                    f"--methods={','.join(methods)}. Received: {arguments[useless]}."
                )
        config.pop("steps", None)
    # A configuration that is written out, as on a card, has the experiment's own.
    epochs = settings.get("decoder_epochs")
    if config.get("decoder_images") == 0 and arguments.get("decoder_epochs", epochs) != epochs:
        raise UsageError("Expected --decoder_images above 0 with --decoder_epochs. Received: 0. Pass --decoder_images.")
    return config


def _settings(experiment: str, dataset: str) -> dict[str, Any]:
    """An experiment's values on a data set."""
    return DEFAULTS[experiment] | BY_DATASET.get((experiment, dataset), {})

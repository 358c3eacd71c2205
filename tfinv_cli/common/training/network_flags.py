"""Flags of a network of the user's that `train` takes in place of an architecture, and the network and images that they make."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfinv import catalogue, paths
from tfinv.errors import UsageError, from_flag
from tfinv_cli.common import early, flags, target_flags

if TYPE_CHECKING:
    from tfinv.datasets import Dataset
    from tfinv.training.user_network import UserNetwork

_OF_NETWORK = ("weights", "bounds", "custom_objects", "allow_unsafe_deserialization")

FLAGS = (
    flags.path(
        "network",
        None,
        "A Keras model of your own to train, in place of --architecture: .keras or .h5, trained or not.",
    ),
    flags.choice(
        "weights",
        "kept",
        catalogue.WEIGHTS,
        "What --network begins with: the weights in the file, or new ones; what is frozen keeps its own.",
    ),
    flags.numbers(
        "bounds",
        None,
        "Least and largest pixel value that --network takes, such as -1,1; otherwise what its layers or its accuracy tell, or 0,1.",
    ),
    target_flags.CUSTOM_OBJECTS,
    target_flags.UNSAFE,
)


def check(values: Any) -> None:
    """Refuses flags that exclude each other.

    Raises:
      UserError: --network is no file of a model.
      UsageError: --network beside --architecture, or a flag of a network without one.
    """
    if values.network is None:
        # A command line that names every flag, as a model card has it, gives these their defaults.
        if lonely := [f"--{name}" for name in _OF_NETWORK if values[name].value != values[name].default]:
            raise UsageError(
                f"Expected --network with {lonely[0]}. Received: none. Pass --network or leave out {lonely[0]}."
            )
    elif values["architecture"].present:
        raise UsageError("Expected --network or --architecture. Received: both. Leave out --architecture.")
    else:
        from tfinv.importing import kinds

        with from_flag("--network"):
            kinds.kind_of(paths.expand(values.network))


def user_network(values: Any) -> UserNetwork | None:
    """The network of the flags, or None.

    Raises:
      UserError: --bounds are not two numbers in order.
    """
    from tfinv.training.user_network import UserNetwork

    if values.network is None:
        return None
    bounds = early.bounds(values)
    return UserNetwork(
        values.network, values.weights, bounds, values.custom_objects or None, values.allow_unsafe_deserialization
    )


def images(values: Any, network: UserNetwork | None, split: str) -> Dataset:
    """A split of --dataset, in the size and the channels of the network where --image_size doesn't say it.

    Raises:
      UserError: see `datasets.load` and `UserNetwork.load`.
    """
    from tfinv_cli.common import target

    source = target.image_source(values)
    if network is not None:
        size, channels = network.image_form()
        source = dataclasses.replace(source, image_size=source.image_size or size, channels=channels)
    return source.load(split, values.limit)


def recognised(network: UserNetwork, train: Dataset) -> tuple[UserNetwork, list[str]]:
    """The network with the range of its images, and lines on what was recognised.

    Raises:
      UserError: see `UserNetwork.adaptation`.
    """
    from tfinv.training.user_network import notes

    adaptation = network.adaptation(train)
    return dataclasses.replace(network, bounds=adaptation.bounds), notes(adaptation)

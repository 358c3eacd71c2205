"""One process of a training that is shared by replicas, run by test_distribution.py: a worker of TF_CONFIG, else two devices.

Arguments: a folder, and what to train, each a name of `TRAININGS`; NAME:STEP kills the process after that step.
"""

import os
import pathlib
import sys

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
sys.path.append(str(pathlib.Path(__file__).parent.parent / "helpers"))


def halve():
    """Makes two devices of the processor, which must come before tfinv."""
    import tensorflow as tf

    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)


def main(folder, *names):
    """Trains, and writes the weights to WORKER-NAME.npy."""
    if "TF_CONFIG" not in os.environ:
        halve()
    import numpy as np

    from tfinv.training.distribution import strategy

    shared = strategy("multi_worker" if "TF_CONFIG" in os.environ else "mirrored")
    from shared_batches import Watch, train, weights

    assert shared.num_replicas_in_sync == 2
    worker = getattr(getattr(shared, "cluster_resolver", None), "task_id", 0)
    for name, _, step in (n.partition(":") for n in names):
        model, _ = train(name, shared, workdir=pathlib.Path(folder) / name, callbacks=[Watch(int(step or 0))])
        np.save(pathlib.Path(folder) / f"{worker}-{name}.npy", weights(model))


main(*sys.argv[1:])

"""Description of the machine and the versions, for the page."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

import tensorflow as tf

_PACKAGES = ("tensorflow", "keras", "numpy", "foolbox", "adversarial-robustness-toolbox", "cleverhans")


def describe() -> str:
    """Returns one paragraph: processor, cores, memory, accelerators, versions."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    installed = {distribution.metadata["Name"].lower() for distribution in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES if name in installed)
    bfloat16 = "with" if "avx512_bf16" in _cpu("flags").split() else "without"
    return (
        f"{_cpu('model name') or platform.processor()}, {cores} cores, {bfloat16} avx512_bf16, {memory:.0f} GiB of memory, "
        f"{', '.join(gpus) or 'no accelerator'}; Python {platform.python_version()}, {versions}."
    )


def moment() -> str:
    """Returns the time and the load average: figures of a busy machine mean little."""
    return f"Begun {datetime.datetime.now():%Y-%m-%d %H:%M}, at a load average of {os.getloadavg()[0]:.1f}."


def _cpu(key: str) -> str:
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")

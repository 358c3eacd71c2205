"""Peak memory of `tfinv evaluate`, or of `tfinv attack`, on few and on many photographs from class folders, through a model of
MobileNetV2's size.

Each command is a whole process, whose peak the system counts. The photographs are noise, as JPEG files, and the model is not
trained: neither matters for the memory.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

_SIDE, _CLASSES = 224, 5
# Largest growth that counts as flat.
_FLAT = 1.1

_MODEL = f"""
import sys
import keras
keras.utils.set_random_seed(0)
network = keras.applications.MobileNetV2(({_SIDE}, {_SIDE}, 3), alpha=0.35, weights=None, classes={_CLASSES})
network.save(sys.argv[1])
"""

_PHOTOGRAPHS = f"""
import pathlib, sys
import numpy as np
from PIL import Image
folder, count, side = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
for i in range(count):
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).resize((side, side))
    levels = np.asarray(coarse) + rng.normal(0, 8, (side, side, 3))
    place = folder / f"class{{i % {_CLASSES}}}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(place / f"{{i}}.jpg", quality=90)
"""


def peak_mib(command: list[str]) -> float:
    """Runs a command, and returns the largest resident memory of its process.

    The system's count begins with that of the process that starts it, which is why this one imports nothing large.

    Raises:
      RuntimeError: it failed.
    """
    with tempfile.TemporaryFile("w+") as error:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=error)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            error.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{error.read()[-3000:]}")
    return usage.ru_maxrss / 1024


def measure(command: str, model: pathlib.Path, folder: pathlib.Path, workdir: pathlib.Path, flags: list[str]) -> float:
    """Returns the peak of a command on all photographs of a folder, in MiB."""
    names = ["--split=all", "--bounds=-1,1", "--attacks=fgsm", "--eps=4/255"]
    names += ["--check_images=2"] if command == "evaluate" else []
    files = [f"--model={model}", f"--dataset={folder}", f"--workdir={workdir}"]
    return peak_mib([sys.executable, "-m", "tfinv_cli.main", command, *files, *names, *flags])


def main() -> None:
    """Prints the peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=(200, 2000))
    parser.add_argument(
        "--side", type=int, default=_SIDE, help="of the files; the model takes 224, and larger ones are resized"
    )
    parser.add_argument("--command", choices=("evaluate", "attack"), default="evaluate")
    parser.add_argument("flags", nargs="*", help="further flags of the command, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, peaks = pathlib.Path(name), []
        subprocess.run([sys.executable, "-c", _MODEL, str(folder / "model.keras")], check=True)
        for count in arguments.counts:
            photographs = folder / str(count)
            subprocess.run(
                [sys.executable, "-c", _PHOTOGRAPHS, str(photographs), str(count), str(arguments.side)], check=True
            )
            model, workdir = folder / "model.keras", folder / f"run{count}"
            peaks.append(measure(arguments.command, model, photographs, workdir, arguments.flags))
            print(f"{count} photographs: {peaks[-1]:.0f} MiB", flush=True)
    ratio = peaks[1] / peaks[0]
    print(f"ratio {ratio:.3f}, at most {_FLAT:g}: {'yes' if ratio <= _FLAT else 'no'}")


if __name__ == "__main__":
    main()

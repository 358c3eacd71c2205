#!/usr/bin/env bash
# Dask: the environment that a nanny gives to its worker stays behind in the process that started the cluster.
#
# Guessed: `distributed.nanny.pre-spawn-environ` is for the worker's process, as its name and documentation say. The parent's
# os.environ is as before once the workers run, at the latest once the cluster is closed.
#
# Seen (distributed 2026.8.0): the nanny puts the variables into os.environ of the parent, spawns, and leaves them there. The defaults,
# too: after one LocalCluster of processes, OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS are 1 in the parent.
#
# Who is hurt: whoever shares some trainings by a LocalCluster and then goes on in the same process. Each library that reads its number
# of threads when it is first imported, and each subprocess, gets the workers' part of the cores; for tests it depends on their order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check distributed==2026.8.0 dask==2026.8.0 2>/dev/null
unset OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS
expect() { echo "$1: $2"; [[ $2 == "$3" ]] || { echo "no longer: $3"; exit 1; }; }

cat > nanny.py <<'PYTHON'
import os

import dask
from distributed import LocalCluster

if __name__ == "__main__":
    before = dict(os.environ)
    with dask.config.set({"distributed.nanny.pre-spawn-environ.OF_THE_WORKER": "7"}):
        with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None):
            pass
    left = {name: value for name, value in os.environ.items() if before.get(name) != value}
    print(", ".join(f"{name}={left.get(name)}" for name in ("OF_THE_WORKER", "OMP_NUM_THREADS", "MKL_NUM_THREADS")))
PYTHON
expect "left in the parent" "$(venv/bin/python nanny.py 2>/dev/null | tail -n 1)" "OF_THE_WORKER=7, OMP_NUM_THREADS=1, MKL_NUM_THREADS=1"
echo "as stated"

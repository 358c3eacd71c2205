"""The audit of the flags: loaded, agreed to, run, and its end on the console."""

import pathlib
import sys
from typing import Any

from tfinv.auditing.policy import load_policy
from tfinv.auditing.report import AuditReport
from tfinv.auditing.running import Settings
from tfinv.auditing.running import run as run_audit
from tfinv.auditing.subjects.loading import Claims, subject_of_files
from tfinv.catalogue import QUESTIONS
from tfinv.errors import UsageError
from tfinv.reporting import print_results, write_tensorboard
from tfinv.runs.cluster import Cluster
from tfinv_cli.common import command, finish, target

GATE = 3  # exit code
# Flags that change no answer.
_BESIDE = ("policy", "fail_on", "yes", "verbose", "eps", "questions", "budget", "seed", "batch_size")


def run(values: Any) -> int:
    """Runs `tfinv audit`, and returns its exit code.

    Args:
      values: the flags.

    Raises:
      UserError: see `tfinv.audit`.
    """
    policy = load_policy(values.policy)
    fail_on = tuple(values.fail_on or ())
    policy.gates([], fail_on)  # refuses names of rules that there are not
    if values.eps is not None and len(values.eps) != 1:
        raise UsageError(f"Expected one eps. Received: {len(values.eps)}. Change --eps, as in 8/255.")
    if unknown := sorted(set(values.questions) - set(QUESTIONS)):
        raise UsageError(
            f"Expected questions among {', '.join(QUESTIONS)}. Received: {', '.join(unknown)}. Change --questions."
        )
    members, nonmembers = (None if texts is None else tuple(texts) for texts in (values.members, values.nonmembers))
    subject, reason = subject_of_files(
        target.model_source(values),
        target.image_source(values),
        values.split,
        Claims(members, nonmembers, values.shadows),
        eps=values.eps and values.eps[0],
        cluster=Cluster(values.workers, values.scheduler),
        seed=values.seed,
        batch_size=values.batch_size,
        progress=finish.say,
    )
    flags = {name: value for name, value in command.resolved(values).items() if name not in _BESIDE}
    about = finish.identity("audit", flags, {})
    settings = Settings(values.budget, tuple(values.questions), policy, fail_on, reason, about)
    folder = pathlib.Path(values.workdir)
    report = run_audit(subject, settings, folder, resume=values.resume, agree=_agree if not values.yes else None)
    _show(report, values.verbose)
    return GATE if report.gates else 0


def _agree(line: str) -> bool:
    """Asks at a terminal; elsewhere nobody can agree."""
    if not sys.stdin.isatty():
        return False
    print(f"{line}. Begin? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(report: AuditReport, verbose: bool) -> None:
    write_tensorboard(report.results, report.path, report.path / "tensorboard")
    print_results(report.results, verbose=verbose)
    files = ", ".join(sorted(path.name for path in report.files.values()))
    print(f"\nResults: {report.path / 'results.json'}\nBeside it: {files}\nReport:\n{report.page}")
    if report.gates:
        print(f"tfinv audit: the gate is closed by {', '.join(report.gates)}", file=sys.stderr)

"""The run of `tfinv membership`: targets, scores, rows, checks, files."""

import itertools
import time
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.comparison.membership import checking, scoring
from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.membership.targets import Target, evidence_of, leave_one_out
from tfinv.comparison.shadow_models import query_logits
from tfinv.errors import expected
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.membership.measure import pool
from tfinv.reporting import Results
from tfinv.runs import descriptions
from tfinv.runs.workdir import Workdir
from tfinv_cli.common import command, finish, target
from tfinv_cli.common.membership.examples import Examples, load_examples
from tfinv_cli.common.membership.recording import digests, write_scores

_ONE_OUT = "leave_one_out"


def run(values: Any) -> None:
    """Runs `tfinv membership`.

    Args:
      values: the flags.

    Raises:
      UserError: flags that exclude each other, or what can't be loaded or attacked, before anything is scored.
    """
    start = time.perf_counter()
    classifier = None if values.target == _ONE_OUT else target.load_model(values)
    examples = load_examples(values, classifier)
    if classifier is not None:
        target.check_images(classifier, examples.data)
    others = {name: _logits(values, name, examples) for name in ("null", "twin") if getattr(values, name)}
    targets, places = _targets(values, classifier, examples), _places(examples)
    first = next(targets)
    attacks = list(values.attacks or scoring.default_attacks(first.evidence))
    scoring.check_attacks(attacks, first.evidence)
    data = examples.data
    finish.say(descriptions.describe(data) if classifier is None else descriptions.introduction(classifier, data))
    config = command.resolved(values) | {"attacks": attacks}
    workdir = Workdir(
        values.workdir, finish.identity("membership", config, digests(values, examples)), resume=values.resume
    )
    checks = [] if classifier is None else _clean_checks(values, classifier, examples)
    checks += checking.data_and_size_checks(first.members, data, values.seed)
    results, other_results = list[AttackScores](), {"null": list[AttackScores](), "twin": list[AttackScores]()}
    model_checks = list[tuple[str, Check]]()
    for number, subject in enumerate(itertools.chain([first], targets)):
        finish.say(f"{subject.name}: {int(subject.members.sum())} members, {int(np.sum(~subject.members))} others")
        model_checks += [(subject.name, check) for check in checking.model_checks(subject)]
        results += [scoring.score(spec, subject, workdir.arrays) for spec in attacks]
        for name in others if number in places else ():
            for spec in filter(scoring.reads_scores, attacks):
                scores = scoring.score_other(spec, subject, others[name], name, workdir.arrays)
                other_results[name].append(scores)
    checks += merge(model_checks) + checking.score_checks(results, other_results["null"], other_results["twin"])
    rows = [row for result in results for row in result.rows("model" if classifier else "shadows", values.seed)]
    rows += pool(rows)
    if classifier is not None:
        classes = [descriptions.class_names(classifier, data)[label] for label in data.labels]
        rows += [row for result in results for row in result.class_rows("model", classes, values.seed)]
    names = data.class_names if classifier is None else descriptions.class_names(classifier, data)
    write_scores(workdir.path, results, data, names)
    about = {"notes on the images": list(data.notes)} if classifier is None else descriptions.about(classifier, data)
    outcome = Results("membership", config, rows, checks)
    finish.finish(outcome, workdir.path, start, about, verbose=values.verbose)


def _targets(values: Any, classifier: Classifier | None, examples: Examples) -> Iterator[Target]:
    if classifier is None or examples.members is None:
        assert examples.store is not None
        yield from leave_one_out(examples.store, examples.data, seed=values.seed)
        return
    options = {"batch_size": values.batch_size, "seed": values.seed}
    evidence = evidence_of(classifier, examples.data, examples.shadows, examples.queries, **options)
    yield Target("model", examples.members, evidence)


def _logits(values: Any, flag: str, examples: Examples) -> np.ndarray:
    """Logits of another model than the target, of the same form."""
    other = target.load_model(types.SimpleNamespace(**values.flag_values_dict() | {"model": getattr(values, flag)}))
    if not other.scores:
        raise expected(f"a model of --{flag} that gives scores", "labels only", f"Change --{flag}.")
    return query_logits(other, examples.data, examples.queries)


def _places(examples: Examples) -> set[int]:
    """Targets in whose places other models are scored: of two complements, which share their references, the first is enough."""
    if examples.members is not None or examples.store is None:
        return {0}
    pairs = examples.store.shadows().pairs.tolist()
    return {number for number, complement in enumerate(pairs) if complement < 0 or number < complement}


def _clean_checks(values: Any, classifier: Classifier, examples: Examples) -> list[Check]:
    held_out = examples.data.subset(~np.asarray(examples.members))
    return target.clean_accuracy(types.SimpleNamespace(**values.flag_values_dict(), limit=None), classifier, held_out)

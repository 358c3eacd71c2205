"""LiRA and RMIA beside published code on the same logits: `python -m benchmarks.membership_peers --rmia=F --leakpro=F --lira=F`.

No release on PyPI has both attacks and comes without PyTorch, so files of their repositories are read: `--rmia`,
modules/mia/attacks/rmia.py of privacytrustlab/ml_privacy_meter at e384af8; `--leakpro`, leakpro/attacks/mia_attacks/lira.py of
aidotse/LeakPro at c47752f; `--lira`, research/mi_lira_2021/plot.py of tensorflow/privacy at 03035d5. Of each only functions and
methods are taken: plot.py draws its figures as soon as it is imported, and LeakPro imports PyTorch. Networks are trained on random
halves of a data set; each is the target once.
"""

import __future__

import argparse
import ast
import pathlib
from typing import Any, Optional

import numpy as np
import scipy.stats
from scipy import special, stats

from benchmarks import machine, timing
from tfinv import Classifier, datasets, files, models
from tfinv.datasets import Dataset
from tfinv.evaluation.membership import roc
from tfinv.membership import Evidence, membership_attack
from tfinv.membership.shadows import Shadows
from tfinv.training.base import Plan
from tfinv.training.defences import defence
from tfinv.training.fit import fit

_LARGEST = 0.001  # .1 point of TPR and AUC


def functions_of(path: pathlib.Path, **names: Any) -> dict[str, Any]:
    """The functions of a Python file, and its classes with their methods alone, without running anything else in it.

    Args:
      path: of the file.
      **names: modules and classes that they use.
    """
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            node.bases, node.body = [], [part for part in node.body if isinstance(part, ast.FunctionDef)]
    exec(compile(tree, str(path), "exec", __future__.annotations.compiler_flag), names)
    return names


def leakpro_lira(path: pathlib.Path, margins: np.ndarray, observed: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Scores (n,) of LeakPro's `AttackLiRA.run_attack` with fixed variance, of margins (S, n) and members (S, n)."""

    class Result:
        """Stand-in for its report."""

        @staticmethod
        def from_full_scores(signal_values: np.ndarray, **_: Any) -> np.ndarray:
            """Returns the scores of those called members, which are all."""
            return signal_values[:, 0]

    names = functions_of(path, np=np, norm=stats.norm, tqdm=lambda x, **_: x, MIAResult=Result)
    attack = names["AttackLiRA"].__new__(names["AttackLiRA"])
    attack.shadow_models_logits, attack.target_logits, attack.out_indices = margins, observed, ~members
    attack.online, attack.num_shadow_models = True, len(margins)
    everyone = np.arange(len(observed))
    attack.audit_dataset = {"in_members": everyone, "out_members": everyone[:0]}
    # LeakPro's "fixed" asks for a variance of each example; its fixed one for all is that of "carlini" below 64 shadows.
    attack.var_calculation, attack.fix_var_threshold = "carlini", 32
    attack.configs = type("Configs", (), {"model_dump": staticmethod(dict)})
    return attack.run_attack()


def train(data: Dataset, members: np.ndarray, epochs: int, seed: int) -> np.ndarray:
    """Logits (S, n, K) of networks trained on the members (n, S)."""
    import keras

    logits = []
    for number, inside in enumerate(members.T):
        keras.utils.set_random_seed(seed + number)
        part = data.subset(np.flatnonzero(inside))
        network = models.build("cnn(filters=(16,32),units=32)", data.image_shape, len(data.class_names))
        training = defence("none").training(Plan(network, part, epochs, 64, seed + number))
        training.compile()
        fit(training, part, epochs=epochs, batch_size=64, seed=seed + number)
        logits.append(Classifier.from_keras(training.export_classifier()).predict(data.images))
    return np.stack(logits)


def compare(logits: np.ndarray, members: np.ndarray, labels: np.ndarray, paths: dict[str, pathlib.Path]) -> list[dict]:
    """AUC and TPR at 1 % of all attacks, means over the targets."""
    rmia = functions_of(paths["rmia"], np=np, Any=Any, Optional=Optional)["run_rmia"]
    lira = functions_of(paths["lira"], np=np, scipy=scipy)["generate_ours"]
    shadows = Shadows.from_arrays(logits, members, labels)
    margins = shadows.margins(slice(0, len(labels)))[:, :, 0]
    p = special.expit(margins)
    pairs: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for target in range(len(logits)):
        rest = np.setdiff1d(np.arange(len(logits)), [target, target ^ 1])
        evidence = Evidence(labels, logits=logits[target], shadows=shadows.without([target, target ^ 1]))
        stack, observed = margins[:, rest].T, margins[:, target]
        check = members.T[[target]], observed[np.newaxis, :, np.newaxis]
        # z are the examples themselves, by the references that are outside of each: half of them, since they come in pairs.
        outside = p[:, rest][~members[:, rest]].reshape(len(labels), -1)
        ratios = p[:, target], p[:, rest], members[:, rest], p[:, target], outside, 0.3
        keep = members.T[rest]
        published = {
            ("lira(variance=fixed)", "LeakPro"): leakpro_lira(paths["leakpro"], stack, observed, keep),
            ("lira(variance=fixed)", "plot.py"): -np.array(
                lira(keep, stack[..., np.newaxis], *check, fix_variance=True)[0]
            ),
            ("lira(variance=per_example)", "plot.py"): -np.array(lira(keep, stack[..., np.newaxis], *check)[0]),
            ("rmia(online=False,a=0.3,gamma=1)", "ml_privacy_meter"): rmia(*ratios),
        }
        for (spec, source), scores in published.items():
            pairs.setdefault((spec, source), []).append((membership_attack(spec).score(evidence), scores))
    return [{"source": source} | _row(spec, scores, members) for (spec, source), scores in pairs.items()]


def _row(spec, scores, members):
    measures: dict[str, Any] = {"attack": spec}
    for name, measure in (("auc", roc.auc), ("tpr", lambda a, b: roc.tpr_at_fpr(a, b, 0.01))):
        values = np.array(
            [[measure(s[inside], s[~inside]) for s in pair] for pair, inside in zip(scores, members.T, strict=False)]
        )
        measures |= {name: values.mean(axis=0).tolist(), f"{name} difference": float(np.abs(values.mean(0) @ [1, -1]))}
    correlation = [stats.spearmanr(*pair).statistic for pair in scores]
    return measures | {"correlation": float(np.min(correlation))}


def page(results: dict[str, Any]) -> str:
    """Markdown of all figures."""
    lines = []
    for row in results["rows"]:
        cells = [f"{100 * row['tpr'][i]:.2f}" for i in (0, 1)] + [f"{100 * row['auc'][i]:.2f}" for i in (0, 1)]
        equal = max(row["tpr difference"], row["auc difference"]) <= _LARGEST
        lines.append(
            [f"`{row['attack']}`", row["source"], *cells, f"{row['correlation']:.4f}", "yes" if equal else "**no**"]
        )
    header = [
        "attack",
        "published",
        "TPR at 1 %, tfinv",
        "published",
        "AUC, tfinv",
        "published",
        "rank correlation, least",
        "within .1 point",
    ]
    return f"{results['machine']} {results['moment']}\n\n{results['setting']}\n\n{timing.table(header, lines)}\n"


def main() -> None:
    """Trains, compares, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("rmia", "leakpro", "lira"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--workdir", default="runs/membership-peers")
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--shadows", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    workdir = pathlib.Path(arguments.workdir)
    data = datasets.load(arguments.dataset, "train").take(arguments.images)
    generator = np.random.default_rng(arguments.seed)
    n, pairs = arguments.images, arguments.shadows // 2
    halves = np.stack([generator.permutation(n) < n // 2 for _ in range(pairs)], axis=1)
    members = np.stack([halves, ~halves], axis=2).reshape(n, 2 * pairs)
    logits = np.load(workdir / "logits.npz")["logits"] if (workdir / "logits.npz").exists() else None
    if logits is None:
        logits = train(data, members, arguments.epochs, arguments.seed)
        workdir.mkdir(parents=True, exist_ok=True)
        np.savez(workdir / "logits.npz", logits=logits)
    paths = {name: pathlib.Path(getattr(arguments, name)) for name in ("rmia", "leakpro", "lira")}
    results: dict[str, Any] = {"machine": machine.describe(), "moment": machine.moment()}
    results["setting"] = (
        f"{2 * pairs} networks on halves of {n} images of {arguments.dataset}, {arguments.epochs} epochs, each the target once, "
        f"with the others but its complement; seed {arguments.seed}. Means over targets."
    )
    results["rows"] = compare(logits, members, data.labels, paths)
    files.write_json(workdir / "membership-peers.json", results)
    files.write_text(workdir / "membership-peers.md", page(results))
    print(page(results))


if __name__ == "__main__":
    main()

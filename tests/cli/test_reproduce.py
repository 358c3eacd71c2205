"""`tfinv reproduce` of the experiments on robust models, on digits and at a size for tests."""

import numpy as np
import pytest

from commands import killed, timeless
from tfinv import attacks, datasets, models
from tfinv.errors import UsageError
from tfinv.evaluation.inversion.evaluators import check_evaluators
from tfinv.experiments import settings
from tfinv.experiments.reproduction import auxiliary_images, other_architectures
from tfinv.experiments.settings.resolving import BY_DATASET
from tfinv.experiments.settings.robust_or_private import BUDGETS
from tfinv.reporting import Results
from tfinv.training import defences
from tfinv_cli import main, reproduce
from tfinv_cli.common import command

SMALL = (
    "--dataset=mnist5k --train_limit=400 --auxiliary_limit=200 --limit=60 --attack_limit=20 --epochs=1 --batch_size=64"
)
MEASURES = "--evaluators=softmax --evaluator_epochs=1 --attacks=pgd(steps=2) --eps=.1 --samples=2"


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    networks = "--plain_architecture=softmax --architecture=cnn(filters=(8,),units=16) --robust_training=fast(eps=.1)"
    how = "--robust_epochs=1 --validation=0 --augmentation=none --methods=projected --featured=3"
    line = ["reproduce", "cifar10", *f"{SMALL} {MEASURES} {networks} {how}".split(), f"--workdir={folder}"]
    assert main.main([*line, "--noresume"]) == 0
    return folder, line


def test_models_trained_both_ways_are_attacked_inverted_and_drawn(both_ways):
    folder, _ = both_ways
    results = Results.read(folder)
    models = {"softmax (usual)", "cnn(filters=(8,),units=16) (usual)", "cnn(filters=(8,),units=16) (robust)"}
    attacked = {r["experiment"] for r in results.rows_of("accuracy") if r["attack"].startswith("pgd")}
    inverted = {r["experiment"] for r in results.rows_of("inversion") if r["method"] == "projected"}
    assert attacked == models
    assert models <= inverted
    # What the others give away is held against the robust one.
    assert {r["than"] for r in results.rows_of("inversion difference")} == {"cnn(filters=(8,),units=16) (robust)"}
    names = {f.name for f in results.figures}
    assert {"projected-equal"} < names
    assert any("samples" in name for name in names)
    assert any("nearest" in name for name in names)
    assert all((folder / f.path).exists() for f in results.figures)


@pytest.mark.proof
def test_a_frontier_has_each_training_where_its_flag_says(tmp_path):
    sweep = (
        "--architecture=mlp(units=16) --anti_weights=.5 --robust_eps=.2 --robust_training=fast(eps={eps}) --reversal="
    )
    how = f"{SMALL} {MEASURES} --validation=0 --seeds=1 --decoder_images=0 --methods=gradient --steps=5"
    line = [*f"{sweep} {how}".split(), "--attacks=pgd (steps=2)", f"--workdir={tmp_path}"]
    assert main.main(["reproduce", "frontier", *line]) == 0
    results = Results.read(tmp_path)
    trained = {r["experiment"] for r in results.rows_of("training")}
    assert trained == {"atat(weight=0.5)", "none", "fast(eps=0.2)"}
    assert {r["attack"] for r in results.rows_of("accuracy")} == {"none", "pgd(steps=2)"}
    assert {r["method"] for r in results.rows_of("inversion")} == {"gradient", "reference"}
    assert {c.name for c in results.checks} > {
        "some-recipe-is-robust-and-private (acc@1)",
        "some-recipe-is-robust-and-private (feature_distance)",
    }
    # However the attack was written, its accuracies are found.
    assert {f.name for f in results.figures} > {"frontier-acc1"}


def test_a_configuration_has_steps_only_where_a_method_takes_them(both_ways):
    folder, _ = both_ways
    assert "steps" not in Results.read(folder).config
    values = {
        flags: command.parse(reproduce.COMMAND, ["--workdir=w", *flags.split()])[0]
        for flags in ("", "--methods=projected", "--methods=projected --steps=5")
    }
    assert reproduce.resolved("frontier", values[""])["steps"] == 200
    assert "steps" not in reproduce.resolved("frontier", values["--methods=projected"])
    with pytest.raises(UsageError, match=r"no --steps, which only gmi, gradient, miface take.* Received: 5"):
        reproduce.resolved("frontier", values["--methods=projected --steps=5"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "inversion --methods=brep --most_steps=9",
            r"no --most_steps, which only .* with --methods=brep\. Received: 9",
        ),
        ("cifar10 --decoder_epochs=9", "Expected --decoder_images above 0 with --decoder_epochs. Received: 0"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(flags, message):
    values, (experiment,) = command.parse(reproduce.COMMAND, ["--workdir=w", *flags.split()])
    with pytest.raises(UsageError, match=message):
        reproduce.resolved(experiment, values)


def test_the_published_experiments_are_autoattack_and_three_inversions():
    for experiment in ("cifar10", "fer2013"):
        assert settings.DEFAULTS[experiment]["attacks"][-1] == "autoattack"
        assert settings.DEFAULTS[experiment]["methods"] == ["projected", "multiscale", "gmi"]
    assert settings.DEFAULTS["frontier"]["attacks"] == ["autoattack"]


def test_it_says_what_a_budget_cut(both_ways):
    folder, _ = both_ways
    check = next(c for c in Results.read(folder).checks if c.name == "published-scale")
    assert check.passed is None
    assert "plain_architecture softmax in place of vgg16" in check.evidence
    assert "epochs 1 in place of 100" in check.evidence
    assert "limit 60 in place of all" in check.evidence
    assert "train_limit 400 in place of 45000" in check.evidence


def test_a_full_budget_is_as_published_only_if_nothing_else_is_changed():
    config = settings.DEFAULTS["cifar10"] | BUDGETS["full"] | {"budget": "full"}
    assert settings.reduction("cifar10", config | {"seed": 3, "workers": 2}) == ""
    for changes, difference in [
        ({"epochs": 1}, "epochs 1 in place of 100"),
        ({"train_limit": 100, "limit": 50}, "limit 50 in place of all, train_limit 100 in place of 45000"),
        ({"attacks": ["fgsm"]}, "attacks ['fgsm'] in place of ['pgd(steps=40)', 'autoattack']"),
    ]:
        assert settings.reduction("cifar10", config | changes) == f"--budget=full: {difference}"
    small = settings.reduction("fer2013", settings.DEFAULTS["fer2013"] | settings.budget("fer2013", "small"))
    assert "image_size [32, 32] in place of the images' own" in small
    assert "attack_limit 300 in place of 10000" in small
    faces = settings.DEFAULTS["fer2013"] | settings.budget("fer2013", "full") | {"budget": "full"}
    assert (settings.reduction("fer2013", faces), faces["image_size"]) == ("", None)


@pytest.mark.parametrize("architecture", ["cnn(units=64)", "mlp", "softmax", "resnet(depth=14)"])
def test_no_face_is_judged_by_its_models_own_architecture_as_usual(architecture):
    evaluators = other_architectures(architecture)
    assert len(set(evaluators)) == 3
    assert models.name_of(architecture) not in evaluators
    check_evaluators(evaluators)


@pytest.mark.proof
def test_run_again_it_only_reads_what_it_made_unless_told_otherwise(both_ways, capsys):
    folder, line = both_ways
    made = {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    assert main.main([*line, "--resume"]) == 0
    assert {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()} == made
    assert "resume" not in Results.read(folder).config
    capsys.readouterr()
    assert main.main([*line, "--noresume"]) == 1
    assert "--noresume" in capsys.readouterr().err


@pytest.mark.proof
def test_killed_after_its_first_attack_it_goes_on_to_the_same_rows(both_ways, tmp_path):
    folder, line = both_ways
    line = [*line[:-1], f"--workdir={tmp_path}"]
    stages = killed(tmp_path, "stages/robustness-*.npz", *line, "--workers=2")
    made = {p: p.stat().st_mtime_ns for p in stages}
    assert main.main(line) == 0
    assert {p: p.stat().st_mtime_ns for p in made} == made
    assert timeless(tmp_path) == timeless(folder)


def test_an_unknown_featured_class_is_refused(tmp_path, capsys):
    assert main.main(["reproduce", "cifar10", *SMALL.split(), "--featured=bird", f"--workdir={tmp_path}"]) == 1
    assert "Expected a class among 0, 1, 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("cifar10 --methods=plague", "Expected methods among miface, "),
        ("cifar10 --plain_architecture=softmax --architecture=softmax --budget=small", "Expected each model once"),
        ("cifar10 --plain_architecture=foo", "'foo'. Change --plain_architecture."),
        ("cifar10 --robust_training=fast(eps=-1)", "Change --robust_training."),
        ("cifar10 --robust_training=nls", "Expected a recipe of robust training. Received: nls."),
        ("cifar10 --auxiliary=nosuch", "Change --auxiliary."),
        ("table1 --eps=8", "Expected eps of at most 1 in linf"),
        ("table1 --strength=-1", "Received: -1.0. Change --strength, --weight, --bound, --ramp, --decoder_steps."),
        ("frontier --robust_eps=2", "Received: 2. Change --robust_eps or --robust_training."),
        ("frontier --robust_eps=.1,.1", "Change --anti_weights or --robust_eps."),
        ("frontier --anti_weights=-1", "Received: -1. Change --anti_weights or --anti_training."),
        ("frontier --reversal=foo", "Change --reversal."),
        ("frontier --eps=8", "Expected eps of at most 1 in linf"),
        ("cifar10 --seed=1001", "Expected seeds that are not the evaluators', 1000, 1001, 1002"),
        ("frontier --robust_training=fast", "Expected an adversarial training with {eps} in it"),
        ("frontier --methods=plague --validation=0", "Expected methods among miface, "),
        ("frontier --methods=gradient,gmi", "Expected one inversion for a frontier. Received: gradient, gmi"),
        ("inversion --labels=99", "Expected labels of classes with training images. Received: labels [99]"),
        ("inversion --defenses=none,none", "Expected each model once. Received: none"),
        ("inversion --evaluators=mlp,resnet(depth=8)+dp_sgd", "such layers. Change --evaluators."),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(flags, message, tmp_path, capsys):
    experiment, *arguments = flags.split()
    foreign = {"inversion": "--attack_limit", "table1": "--auxiliary_limit"}.get(experiment)
    sizes = [f for f in SMALL.split() if f.partition("=")[0] != foreign]
    arguments += ["--featured=3"] if experiment == "cifar10" else []
    assert main.main(["reproduce", experiment, *sizes, *arguments, f"--workdir={tmp_path}"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_the_attackers_are_given_no_image_that_a_victim_learns_from(tmp_path):
    """Even if the data set has it twice."""
    whole = datasets.load("mnist5k", "train").take(300)
    pixels = whole.pixels.copy()
    pixels[250] = pixels[3]
    path = str(tmp_path / "twice.npz")
    np.savez(path, x_train=pixels, y_train=whole.labels, x_test=pixels[:10], y_test=whole.labels[:10])
    train = datasets.load(path, "train").take(150)
    auxiliary = auxiliary_images({"auxiliary": None, "dataset": path, "auxiliary_limit": 100}, train, None)
    np.testing.assert_array_equal(auxiliary.pixels, np.delete(pixels[200:], 50, axis=0))
    # Nor if it lies in another data set.
    other = str(tmp_path / "other.npz")
    np.savez(other, x_train=pixels[[200, 3, 201]], y_train=[0, 1, 2], x_test=pixels[:1], y_test=[0])
    auxiliary = auxiliary_images({"auxiliary": other, "dataset": path, "auxiliary_limit": 100}, train, None)
    assert {i.tobytes() for i in auxiliary.pixels} == {i.tobytes() for i in pixels[[200, 201]]}


def test_a_frontier_of_other_images_needs_their_eps(tmp_path, capsys):
    assert main.main(["reproduce", "frontier", "--dataset=fer2013", "--robust_eps=.1", f"--workdir={tmp_path}"]) == 2
    assert "Expected --eps, as --dataset is none of mnist, mnist5k, cifar10. Received: none." in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--evaluators=", "--methods=", "--attacks=", "--seed=4294967296"])
def test_empty_lists_and_seeds_that_are_too_large_are_wrong_use(flag, tmp_path, capsys):
    assert main.main(["reproduce", "frontier", flag, f"--workdir={tmp_path}"]) == 2
    assert flag.partition("=")[0].strip("-") in capsys.readouterr().err


def test_an_unknown_attack_is_wrong_use(tmp_path, capsys):
    assert main.main(["reproduce", "cifar10", "--attacks=plague", f"--workdir={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert "Expected one of " in error
    assert "Received: 'plague'. Change --attacks." in error
    assert not (tmp_path / "models").exists()


def test_the_settings_of_every_experiment_can_be_read():
    """Of a default that nothing else runs in a test."""
    for experiment, dataset in [(name, None) for name in settings.DEFAULTS] + list(BY_DATASET):
        defaults = settings.DEFAULTS[experiment] | BY_DATASET.get((experiment, dataset), {})
        budgets = [settings.budget(experiment, name) for name in BUDGETS] if "budget" in defaults else [{}]
        for config in [defaults | budget for budget in budgets]:
            if "evaluators" in config:
                check_evaluators(config["evaluators"])
            for spec in config.get("defenses", ()):
                defences.defence(spec)
            for spec in config.get("attacks", ()):
                attacks.attack(spec)
            if "anti_training" in config:
                defences.defence(config["anti_training"].replace("{weight}", ".1"))
            if "robust_training" in config:
                defences.defence(config["robust_training"].replace("{eps}", ".1"))
            for key in ("architecture", "plain_architecture"):
                models.canonical(config.get(key, "cnn"))

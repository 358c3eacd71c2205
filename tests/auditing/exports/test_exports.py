"""Exports of an audit: each is valid by its standard's own schema, says what the grades say, and holds any text."""

import json
import pathlib
import sys
import types
import xml.etree.ElementTree as ET

import jsonschema
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from lxml import etree

from audit_rows import EPS, accuracy, audit, check, membership
from tfinv.auditing.exports import EXPORTS, cyclonedx, junit, log_mlflow, model_card, sarif, write_exports
from tfinv.auditing.grading import grade
from tfinv.auditing.policy import load_policy
from tfinv.errors import UserError

SCHEMAS = pathlib.Path(__file__).parent / "schemas"
NASTY = "<b>&\"'\x00\x1b[31m\ud83d \U0001f600 ]]> {{x}} | `c`\n---\n: - # \x85\u2028"


def with_grades(results):
    results.rows += grade(results, load_policy())
    return results


@pytest.fixture
def results():
    """Good, fair and poor grades, one that is disbelieved, one not asked, and failed checks."""
    changes = (accuracy(0.3, "pgd", EPS), membership(0.7))
    failed = [check("perturbation-uses-budget", None), check("enough-nonmembers (0.1%)", False)]
    return with_grades(audit(*changes, checks=failed, without=("inversion",)))


@pytest.fixture
def nasty():
    """Results whose every text is untrusted."""
    results = audit(accuracy(0.01, NASTY, EPS), checks=[check(f"losses-agree ({NASTY})", False)])
    results.config |= {"model": NASTY, "dataset": NASTY, "split": NASTY, "policy": NASTY}
    return with_grades(results)


def check_junit(text):
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))
    schema.assertValid(etree.fromstring(text.encode()))


def check_sarif(text):
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.loads(text))


def check_cyclonedx(text):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error


def check_model_card(text):
    _, head, body = text.split("---\n", 2)
    metadata = yaml.safe_load(head)
    (entry,) = metadata["model-index"]
    (result,) = entry["results"]
    # What huggingface_hub requires of an evaluation result.
    assert result["task"]["type"] == "image-classification"
    assert {"name", "type"} <= result["dataset"].keys()
    for metric in result["metrics"]:
        assert {"type", "value"} <= metric.keys()
        assert isinstance(metric["value"], float)
    assert body.startswith("\n# ")


CHECKS = {
    "junit.xml": check_junit,
    "audit.sarif": check_sarif,
    "model-card.cdx.json": check_cyclonedx,
    "model-card.md": check_model_card,
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("kind", ["results", "nasty"])
def test_exports_are_valid_by_their_schemas(name, kind, request):
    CHECKS[name](EXPORTS[name](request.getfixturevalue(kind)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("junit.xml", '<testsuites><testsuite name="a"/></testsuites>'),
        ("audit.sarif", '{"version": "2.1.0"}'),
        ("model-card.cdx.json", '{"bomFormat": "CycloneDX", "specVersion": "1.6", "what": 1}'),
    ],
)
def test_the_schemas_refuse_what_is_not_valid(name, text):
    with pytest.raises((AssertionError, etree.DocumentInvalid, jsonschema.ValidationError)):
        CHECKS[name](text)


def test_junit_has_a_case_for_each_rule_and_check(results):
    root = ET.fromstring(junit(results))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    rules = [row["rule"] for row in results.rows_of("grade")]
    assert sorted(cases) == sorted([*rules, *(c.name for c in results.checks)])
    outcomes = {name: [child.tag for child in case] for name, case in cases.items()}
    assert outcomes["clean-accuracy"] == ["system-out"]
    assert outcomes["robust-accuracy"] == ["system-out"]  # fair
    assert outcomes["membership-auc"] == ["failure"]
    assert outcomes["tpr-at-one-per-mille"] == ["error"]
    assert outcomes["recognised-reconstructions"] == ["skipped"]
    assert outcomes["enough-nonmembers (0.1%)"] == ["failure"]
    assert outcomes["perturbation-uses-budget"] == ["skipped"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == (str(len(cases)), "2", "1")
    suites = {suite.get("name"): suite for suite in root}
    assert (suites["membership"].get("tests"), suites["membership"].get("failures")) == ("3", "1")
    assert "0.700 [0.698, 0.702]" in cases["membership-auc"].find("failure").text.replace("0.7 ", "0.700 ")


def test_sarif_has_kinds_and_levels(results):
    (run,) = json.loads(sarif(results))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    by_rule = {result["ruleId"]: result for result in run["results"]}
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    kinds = {name: (result["kind"], result["level"]) for name, result in by_rule.items()}
    assert kinds["membership-auc"] == ("fail", "error")
    assert kinds["robust-accuracy"] == ("fail", "warning")
    assert kinds["clean-accuracy"] == ("pass", "none")
    assert kinds["tpr-at-one-per-mille"] == ("open", "none")
    assert kinds["recognised-reconstructions"] == ("notApplicable", "none")
    assert kinds["enough-nonmembers"] == ("fail", "warning")
    assert "perturbation-uses-budget" not in kinds
    assert by_rule["membership-auc"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "model.keras"
    tags = {rule["id"]: rule["properties"]["tags"] for rule in run["tool"]["driver"]["rules"]}
    assert tags["membership-auc"] == ["membership", "OWASP AISVS 11.2.5", "MITRE ATLAS AML.T0024.000"]


def test_cyclonedx_has_figures_with_intervals_and_what_is_disbelieved_is_no_metric(results):
    bom = json.loads(cyclonedx(results))
    card = bom["metadata"]["component"]["modelCard"]
    metrics = card["quantitativeAnalysis"]["performanceMetrics"]
    by_rule = {metric["type"]: metric for metric in metrics}
    assert by_rule["membership-auc"]["value"] == "0.7"
    assert by_rule["membership-auc"]["confidenceInterval"] == {"lowerBound": "0.698", "upperBound": "0.702"}
    assert by_rule["membership-auc"]["slice"] == "AUC of loss"
    assert "tpr-at-one-per-mille" not in by_rule
    assert "pgd at eps 8/255" in {metric["slice"] for metric in metrics}
    limits = " ".join(card["considerations"]["technicalLimitations"])
    assert "because enough-nonmembers (0.1%) failed" in limits
    assert cyclonedx(results) == cyclonedx(results)


def test_cyclonedx_has_no_accuracy_under_attack_that_is_disbelieved():
    results = with_grades(audit(checks=[check("losses-agree", False)]))
    metrics = json.loads(cyclonedx(results))["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]
    assert "accuracy" not in {metric["type"] for metric in metrics["performanceMetrics"]}


def test_the_model_card_has_the_graded_figures(results):
    text = model_card(results)
    metadata = yaml.safe_load(text.split("---\n")[1])
    metrics = {metric["type"]: metric for metric in metadata["model-index"][0]["results"][0]["metrics"]}
    assert metrics["membership-auc"]["value"] == 0.7
    assert "tpr-at-one-per-mille" not in metrics
    assert "| membership | AUC of loss | 0.7 \\[0.698, 0.702\\] (n = 10000) | poor |" in text
    assert "not to be believed, because enough-nonmembers (0.1%) failed" in text


def test_a_card_without_figures_has_no_index():
    results = audit(without=("accuracy", "calibration", "corruption", "inversion", "membership"))
    assert "model-index" not in model_card(with_grades(results))


def test_texts_are_untrusted(nasty):
    for name, export in EXPORTS.items():
        text = export(nasty)
        assert "\x00" not in text, name
        assert "\x1b" not in text, name
        text.encode()
    assert "<b>" not in junit(nasty)
    assert "\\<b\\>" in model_card(nasty).split("---\n", 2)[2]


def test_files_are_written_by_name(results, tmp_path):
    paths = write_exports(results, tmp_path)
    assert {name: path.name for name, path in paths.items()} == {name: name for name in EXPORTS}
    assert {path.name for path in tmp_path.iterdir()} == set(EXPORTS)


class Recorder(types.ModuleType):
    """A stand-in for MLflow that records what is logged."""

    def __init__(self, active):
        super().__init__("mlflow")
        self.calls, self.active = [], active

    def active_run(self):
        return self.active

    def start_run(self):
        self.calls.append("start")
        return open("/dev/null")

    def log_metrics(self, metrics):
        self.metrics = metrics

    def set_tags(self, tags):
        self.tags = tags

    def log_artifact(self, path, artifact_path):
        self.calls.append((pathlib.Path(path).name, artifact_path))


@pytest.mark.parametrize("active", [None, "run"])
def test_mlflow_gets_figures_grades_and_files(results, tmp_path, monkeypatch, active):
    write_exports(results, tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", recorder := Recorder(active))
    log_mlflow(results, tmp_path)
    assert recorder.metrics["membership-auc"] == 0.7
    assert recorder.metrics["membership-auc.high"] == pytest.approx(0.702)
    assert "tpr-at-one-per-mille" not in recorder.metrics
    assert recorder.tags["tfinv.tpr-at-one-per-mille"] == "disbelieved"
    assert recorder.tags["tfinv.failed checks"] == "enough-nonmembers (0.1%)"
    assert recorder.calls == ["start"] * (active is None) + [(name, "tfinv") for name in EXPORTS]


def test_without_mlflow_the_error_says_what_to_install(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match="pip install mlflow"):
        log_mlflow(results, tmp_path)


@pytest.mark.proof
def test_mlflow_itself_takes_it(results, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    write_exports(results, tmp_path)
    with mlflow.start_run() as run:
        log_mlflow(results, tmp_path)
    data = mlflow.get_run(run.info.run_id).data
    assert data.metrics["membership-auc"] == 0.7
    assert data.tags["tfinv.tpr-at-one-per-mille"] == "disbelieved"


def test_no_figure_of_a_curve_that_a_failed_check_bears_on_is_a_metric():
    results = with_grades(audit(accuracy(0.01, "pgd", EPS), checks=[check("losses-agree", False)]))
    graded = {row["rule"]: row["grade"] for row in results.rows_of("grade")}
    assert graded["robust-accuracy"] == "poor"
    component = json.loads(cyclonedx(results))["metadata"]["component"]
    metrics = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert "accuracy" not in {metric["type"] for metric in metrics}
    assert "robust-accuracy" in {metric["type"] for metric in metrics}

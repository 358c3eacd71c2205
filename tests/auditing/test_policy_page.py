"""docs/policy.md says what the policy says, and its example and the files for CI are valid."""

import json
import pathlib
import re
import shlex

import check_jsonschema
import jsonschema
import pytest
import yaml

from tests.auditing import policy_page
from tfinv.auditing.policy import load_policy
from tfinv_cli.audit import COMMAND
from tfinv_cli.common import command

TEXT = policy_page.PAGE.read_text(encoding="utf-8")
EXAMPLES = policy_page.PAGE.parent / "examples"
SCHEMAS = pathlib.Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"


def test_the_page_has_the_policy_and_the_table_of_checks():
    assert policy_page.page(TEXT) == TEXT, "write it anew: python -m tests.auditing.policy_page"


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
def test_the_examples_are_policies(tmp_path, example):
    path = tmp_path / "policy.toml"
    path.write_text(example, encoding="utf-8")
    assert load_policy(path).rules != load_policy().rules


def commands(value):
    """The command lines of `tfinv` in a CI file."""
    if isinstance(value, dict):
        return [line for item in value.values() for line in commands(item)]
    if isinstance(value, list):
        return [line for item in value for line in commands(item)]
    if not isinstance(value, str):
        return []
    text = value.replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip().startswith("tfinv audit ")]


@pytest.mark.parametrize(("name", "schema"), [("github.yml", "github-workflows"), ("gitlab.yml", "gitlab-ci")])
def test_the_files_for_ci_are_valid_and_their_commands_parse(name, schema):
    document = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    document = {{True: "on"}.get(key, key): value for key, value in document.items()}
    vendored = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(vendored)(vendored).validate(document)
    (line,) = commands(document)
    values, _ = command.parse(COMMAND, shlex.split(line)[2:])
    assert load_policy().gates([], values.fail_on) == []

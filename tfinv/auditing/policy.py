"""`Policy`: the rules that an audit is graded by, read from TOML, and the gates that make it fail."""

import dataclasses
import importlib.resources
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfinv import paths
from tfinv.auditing.rule import FIELDS, Rule, check_value
from tfinv.catalogue import QUESTIONS
from tfinv.errors import UserError, expected

# From the worst to the best.
GRADES = ("poor", "fair", "good")
_HINT = "Change --policy, or the file; docs/policy.md has the keys."


@dataclasses.dataclass(frozen=True)
class Policy:
    """Rules of an audit.

    Attributes:
      name: for the reader.
      rules: in the order of the questions.
      fail_on: names of rules, or of questions for all of their rules, that the audit fails at.
      fail_at: grade at which a rule of `fail_on` fails: "poor", or "fair" for that and "poor".
    """

    name: str
    rules: tuple[Rule, ...]
    fail_on: tuple[str, ...] = ()
    fail_at: str = "poor"

    def gates(self, grade_rows: Iterable[Mapping[str, Any]], fail_on: Sequence[str] = ()) -> list[str]:
        """Returns the names of the rules at which an audit fails.

        A rule without a grade fails, too, be it disbelieved or not asked: a gate that nobody measured is not passed.

        Args:
          grade_rows: rows of kind "grade"; a rule without a row does not fail.
          fail_on: names of rules or questions beside those of the policy.

        Raises:
          UserError: there is no such rule and no such question.
        """
        names = self._expand((*self.fail_on, *fail_on))
        failing = GRADES[: GRADES.index(self.fail_at) + 1]
        return [
            row["rule"]
            for row in grade_rows
            if row["rule"] in names and (row["state"] != "graded" or row["grade"] in failing)
        ]

    def _expand(self, fail_on: Iterable[str]) -> set[str]:
        rules = {rule.name for rule in self.rules}
        names: set[str] = set()
        for name in fail_on:
            of_question = {rule.name for rule in self.rules if rule.question == name}
            if name not in rules and not of_question:
                valid = ", ".join([*sorted(rules), *QUESTIONS])
                raise expected(f"rules or questions among {valid}", repr(name), "Change --fail_on or fail_on.")
            names |= {name} if name in rules else of_question
        return names


def load_policy(path: str | os.PathLike | None = None) -> Policy:
    """Reads a policy.

    A user's file has keys of the default one: a table `[rules.NAME]` with the name of a default rule replaces some of its keys, and
    one with another name is a new rule. `without` lists default rules to leave out.

    Args:
      path: of a TOML file; None for the default policy alone.

    Raises:
      UserError: the file can't be read, or a key of it is unknown, missing or of another type.
    """
    default = tomllib.loads(default_text())
    if path is None:
        return _policy(default, {}, "the default policy")
    return _policy(default, _read(path), os.fspath(path))


def default_text() -> str:
    """Returns the default policy as TOML."""
    return (importlib.resources.files("tfinv.auditing") / "policy.toml").read_text(encoding="utf-8")


def _read(path: str | os.PathLike) -> dict[str, Any]:
    try:
        return tomllib.loads(paths.expand(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise expected(
            "a policy that can be read", f"{path} ({error.strerror or error})", "Change --policy."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise expected("a policy in TOML", f"{path} ({' '.join(str(error).split())})", "Change --policy.") from error


def _policy(default: dict[str, Any], user: dict[str, Any], source: str) -> Policy:
    keys: dict[str, type] = {"name": str, "fail_on": list, "fail_at": str, "without": list, "rules": dict}
    if unknown := sorted(user.keys() - keys):
        raise expected(f"keys among {', '.join(keys)} in {source}", repr(unknown[0]), _HINT)
    for key, kind in keys.items():
        value = user.get(key)
        if value is not None and not isinstance(value, kind):
            raise _wrong_type(key, kind, value, source)
        if isinstance(value, list) and not all(isinstance(part, str) for part in value):
            raise expected(f"a list of texts as {key} in {source}", repr(value), _HINT)
    without = user.get("without", [])
    tables = {name: table for name, table in default["rules"].items() if name not in without}
    if unknown := sorted(set(without) - default["rules"].keys()):
        raise expected(f"rules among {', '.join(default['rules'])} as without in {source}", repr(unknown[0]), _HINT)
    for name, table in user.get("rules", {}).items():
        if not isinstance(table, dict):
            raise _wrong_type(f"rules.{name}", dict, table, source)
        tables[name] = tables.get(name, {}) | table
    rules = [_rule(name, table, source, default["rules"]) for name, table in tables.items()]
    top = {key: user.get(key, default[key]) for key in ("name", "fail_on", "fail_at")}
    if top["fail_at"] not in GRADES[:2]:
        raise expected(f"poor or fair as fail_at in {source}", repr(top["fail_at"]), _HINT)
    if user and "name" not in user:
        top["name"] = source
    rules.sort(key=lambda rule: QUESTIONS.index(rule.question))
    policy = Policy(top["name"], tuple(rules), tuple(top["fail_on"]), top["fail_at"])
    policy.gates([])  # refuses what fail_on has of no rule
    return policy


def _rule(name: str, table: Mapping[str, Any], source: str, default: Mapping[str, Any]) -> Rule:
    where = f"[rules.{name}] of {source}"
    if unknown := sorted(table.keys() - FIELDS.keys()):
        raise expected(f"keys among {', '.join(FIELDS)} in {where}", repr(unknown[0]), _HINT)
    for key, value in table.items():
        check_value(key, value, where)
    missing = [key for key, field in FIELDS.items() if field.required and key not in table]
    if missing:
        rules = f", or the name of a rule among {', '.join(default)}" if name not in default else ""
        raise expected(f"{', '.join(missing)} in {where}{rules}", f"only {', '.join(table) or 'nothing'}", _HINT)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    for key in ("good", "fair"):
        values[key] = float(values[key])
    try:
        return Rule(name=name, **values)
    except UserError as error:
        raise UserError(f"{error.complaint.removesuffix('.')}, in {where}.", _HINT) from error


def _wrong_type(key: str, kind: type, value: object, source: str) -> UserError:
    nouns: dict[type, str] = {str: "a text", list: "a list of texts", dict: "a table"}
    return expected(f"{nouns[kind]} as {key} in {source}", repr(value), _HINT)

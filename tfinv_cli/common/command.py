"""What every binary shares: flags, help, exit codes, one line for an expected error."""

import dataclasses
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from tfinv.errors import UserError, expected
from tfinv_cli.flags import Define

Flags = Any
# What every command with settings of its own takes.
_EVERYWHERE = ("data_dir", "workdir", "resume")


class UsageError(UserError):
    """Flags or arguments that make no sense: exit code 2."""


@dataclasses.dataclass(frozen=True)
class Command:
    """One binary.

    Attributes:
      name: as typed after `tfinv`.
      help: the manual; its first line is the summary.
      flags: what it understands.
      run: is given the parsed flags and the positional arguments.
      arguments: the positional arguments, for the help.
      required: names of flags that must be given.
      own: for a positional argument that has settings of its own, the flags it takes and their values where they are not given.
    """

    name: str
    help: str
    flags: Sequence[Define]
    run: Callable[[Flags, list[str]], None]
    arguments: str = ""
    required: Sequence[str] = ()
    own: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


def main(command: Command, argv: Sequence[str] | None = None) -> int:
    """Runs a command on its arguments (without the program's name) and returns the exit code.

    0 is done, 1 failed, 2 wrong use. An expected error is one line on stderr; a traceback is a bug.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if any(a in ("--help", "-help", "-h", "--helpfull") for a in given):
            print(manual(command, next((a for a in given if a in command.own), None)))
            return 0
        values, rest = parse(command, given)
        command.run(values, rest)
    except UsageError as error:
        return _say(command, error, 2)
    except UserError as error:
        return _say(command, error, 1)
    except BrokenPipeError:  # nobody reads the rest
        return 1
    except OSError as error:
        # A full or read-only disk is met wherever a library writes.
        return _say(command, f"{error.strerror or error}: {error.filename or 'a file'}", 1)
    except KeyboardInterrupt:
        return _say(command, "interrupted; run it again with the same --workdir to go on", 130)
    return 0


def parse(command: Command, given: Sequence[str]) -> tuple[Flags, list[str]]:
    """Parses flags and positional arguments.

    Raises:
      UsageError: unknown flag, wrong value, or a required flag that is missing.
    """
    values = flags.FlagValues()
    for define in command.flags:
        define(values)
    try:
        rest = values([command.name, *given])[1:]
    except flags.Error as error:
        raise _misused(command, error) from error
    for name in command.required:
        if getattr(values, name) in (None, ""):
            raise UsageError(str(expected(f"--{name}", "none", f"Pass --{name}; see tfinv {command.name} --help.")))
    if rest and not command.arguments:
        raise UsageError(str(expected("flags only", " ".join(rest), f"See tfinv {command.name} --help.")))
    return values, rest


def _misused(command: Command, error: flags.Error) -> UsageError:
    """What absl says of a flag, in the form of every other error."""
    text, hint = " ".join(str(error).split()), f"See tfinv {command.name} --help."
    if isinstance(error, flags.UnrecognizedFlagError):
        near = re.sub(r"([\w-]+)", r"--\1", text.partition("Did you mean: ")[2].removesuffix(" ?"))
        meant = f"Did you mean {near}? " if near else ""
        return UsageError(str(expected(f"flags of tfinv {command.name}", f"--{error.flagname}", f"{meant}{hint}")))
    if found := re.fullmatch(r"flag --(\w+)=(.*?): (.*)", text):
        name, value, reason = found.groups()
        if reason.startswith("Expected "):
            return UsageError(reason, "" if f"--{name}" in reason else f"Change --{name}.")
        return UsageError(str(expected(f"a value that --{name} takes", f"{value or 'none'} ({reason})", hint)))
    if found := re.fullmatch(r"Missing value for flag (--\w+)", text):
        return UsageError(str(expected(f"a value for {found[1]}", "none", hint)))
    return UsageError(str(expected("flags that can be read", text, hint)))


def resolved(values: Flags) -> dict[str, Any]:
    """Every flag with its value, also those left at their default, but for the one that says how a run begins."""
    return {name: value for name, value in sorted(values.flag_values_dict().items()) if name != "resume"}


def manual(command: Command, argument: str | None = None) -> str:
    """The text of --help.

    Args:
      command: the binary.
      argument: a positional argument with settings of its own: its flags alone.
    """
    own = None if argument is None else command.own[argument]
    values = flags.FlagValues()
    for define in command.flags:
        define(values)
    lines = [
        f"tfinv {command.name} {argument or command.arguments}".rstrip() + " [--flags]",
        "",
        command.help.strip(),
        "",
        "Flags:",
    ]
    for name, flag in sorted(values._flags().items()):
        if own is not None and name not in own and name not in _EVERYWHERE:
            continue
        kind = flag.flag_type()
        if isinstance(flag, flags.EnumFlag):
            kind = " | ".join(flag.parser.enum_values)
        default = "required" if name in command.required else _default(flag, own or {})
        lines.append(f"  --{name}  ({kind}; {default})")
        lines += textwrap.wrap(flag.help or "", 92, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _default(flag, own):
    if own.get(flag.name, flag.default) is None:
        return "optional"
    if flag.name not in own:
        return f"default {flag.default_as_str.strip(chr(39))}"
    value = own[flag.name]
    several = value if isinstance(value, (list, tuple)) else [value]
    return f"default {','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in several) or 'none'}"


def _say(command, message, code):
    print(f"tfinv {command.name}: {' '.join(str(message).split())}", file=sys.stderr)
    return code

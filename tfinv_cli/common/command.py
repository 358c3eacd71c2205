"""Parsing, help and exit codes of every command."""

import dataclasses
import io
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.dom import minidom

from absl import flags

from tfinv.errors import UsageError, UserError, expected
from tfinv_cli.common import early
from tfinv_cli.common.flags import Define
from tfinv_cli.common.forms import complete

Flags = Any
# Flags of every command with settings of its own.
_EVERYWHERE = ("data_dir", "workdir", "resume", "verbose")
# Those that say how a run begins and what it prints: no part of the configuration.
_MANNERS = ("resume", "verbose")
_HELP = re.compile(r"--?(help|helpshort|helpfull|helpxml|h|\?)")
# Flags of absl itself, which every command takes.
_ABSL = {
    "flagfile": "A file of further flags, one a line; lines that begin with # are comments.",
    "undefok": "Names of flags, separated by commas, that may be unknown; they are ignored then.",
    "help": "This text, without these flags of absl; --helpshort is the same.",
    "helpfull": "This text.",
    "helpxml": "The same for programs, as XML.",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
      name: as typed after `tfinv`.
      help: the manual; its first line is the summary.
      flags: definitions of its flags.
      run: is given the parsed flags and the positional arguments, and returns an exit code, or None for 0; imports what it needs,
        so that help and errors come at once.
      arguments: the positional arguments, for the help.
      required: names of flags that must be given.
      settings: for a positional argument with settings of its own, its flags and their values where they are not given.
      check: refuses parsed flags that exclude each other, before TensorFlow is imported; None for none.
    """

    name: str
    help: str
    flags: Sequence[Define]
    run: Callable[[Flags, list[str]], int | None]
    arguments: str = ""
    required: Sequence[str] = ()
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    check: Callable[[Flags], None] | None = None


def main(command: Command, argv: Sequence[str] | None = None) -> int:
    """Runs a command on its arguments (without the program's name) and returns the exit code.

    0 is done, 1 failed, 2 wrong use, 3 a gate of an audit. An expected error is one line on stderr; a traceback is a bug.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if text := help_text(command, arguments):
            print(text)
            return 0
        values, positional = _read(command, arguments)
        if command.check is not None:
            command.check(values)
        early.check(values)
        _complete(values)
        code = command.run(values, positional)
    except UsageError as error:
        return _print_error(command, error, 2)
    except UserError as error:
        return _print_error(command, error, 1)
    except BrokenPipeError:  # nobody reads the rest
        return 1
    except OSError as error:
        # A full or read-only disk is met wherever a library writes.
        return _print_error(command, f"{error.strerror or error}: {error.filename or 'a file'}", 1)
    except KeyboardInterrupt:
        return _print_error(command, "interrupted; run it again with the same --workdir to go on", 130)
    return code or 0


def parse(command: Command, arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Parses flags and positional arguments.

    Raises:
      UsageError: unknown flag, wrong value, or a required flag that is missing.
    """
    values, positional = _read(command, arguments)
    _complete(values)
    return values, positional


def _read(command: Command, arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Parses as `parse` does, but for the arguments of text forms."""
    values = _flag_values(command)
    try:
        positional = values([command.name, *arguments])[1:]
    except flags.Error as error:
        raise _usage_error(command, error) from error
    for name in command.required:
        if getattr(values, name) in (None, ""):
            raise UsageError(str(expected(f"--{name}", "none", f"Pass --{name}; see tfinv {command.name} --help.")))
    if positional and not command.arguments:
        raise UsageError(str(expected("flags only", " ".join(positional), f"See tfinv {command.name} --help.")))
    return values, positional


def _complete(values: Flags) -> None:
    """Completes text forms, last, for it may import TensorFlow: what is refused before is refused at once."""
    for name, flag in values._flags().items():
        try:
            complete(flag)
        except UserError as error:
            raise _value_error(name, str(error)) from error


def resolved(values: Flags) -> dict[str, Any]:
    """Every flag with its value, also those left at their default, but for those of how a run begins and what it prints."""
    return {name: value for name, value in sorted(values.flag_values_dict().items()) if name not in _MANNERS}


def help_text(command: Command, arguments: Sequence[str]) -> str | None:
    """The help that the first such argument asks for; None if none does."""
    kind = next((match[1] for a in arguments if (match := _HELP.fullmatch(a))), None)
    if kind is None:
        return None
    experiment = next((a for a in arguments if a in command.settings), None)
    return _xml(command) if kind == "helpxml" else manual(command, experiment, full=kind == "helpfull")


def manual(command: Command, argument: str | None = None, full: bool = False) -> str:
    """The text of --help.

    Args:
      command: the command.
      argument: a positional argument with settings of its own: its flags alone.
      full: whether to list absl's own flags, too.
    """
    settings = None if argument is None else command.settings[argument]
    lines = [
        f"tfinv {command.name} {argument or command.arguments}".rstrip() + " [--flags]",
        "",
        command.help.strip(),
        "",
        "Flags:",
    ]
    for name, flag in sorted(_flag_values(command)._flags().items()):
        if settings is not None and name not in settings and name not in _EVERYWHERE:
            continue
        # absl puts the choices, and how a flag is repeated, into the text, too.
        kind, text = flag.flag_type(), (flag.help or "").partition(";\n    repeat this option")[0]
        if choices := getattr(flag.parser, "enum_values", None):
            kind, text = " | ".join(choices), text.removeprefix(f"<{'|'.join(choices)}>: ")
        default = "required" if name in command.required else _default(flag, settings or {})
        lines.append(f"  --{name}  ({kind}; {default})")
        lines += _wrap(text)
    if full:
        lines += ["", "Flags of absl:"]
        for name, text in _ABSL.items():
            lines += [f"  --{name}", *_wrap(text)]
    return "\n".join(lines)


def _flag_values(command: Command) -> flags.FlagValues:
    values = flags.FlagValues()
    for define in command.flags:
        define(values)
    return values


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 92, initial_indent="      ", subsequent_indent="      ")


def _xml(command: Command) -> str:
    """The flags in absl's XML, with the command's name and manual in place of the running program's."""
    stream = io.StringIO()
    _flag_values(command).write_help_in_xml_format(stream)
    document = minidom.parseString(stream.getvalue().encode())
    for tag, text in (("program", f"tfinv {command.name}"), ("usage", command.help.strip())):
        element = document.getElementsByTagName(tag)[0]
        for child in list(element.childNodes):
            element.removeChild(child)
        element.appendChild(document.createTextNode(text))
    return document.toxml()


def _usage_error(command: Command, error: flags.Error) -> UsageError:
    """The error of a flag in absl's words, in the form of every other error."""
    text, hint = " ".join(str(error).split()), f"See tfinv {command.name} --help."
    if isinstance(error, flags.UnrecognizedFlagError):
        near = re.sub(r"([\w-]+)", r"--\1", text.partition("Did you mean: ")[2].removesuffix(" ?"))
        meant = f"Did you mean {near}? " if near else ""
        return UsageError(str(expected(f"flags of tfinv {command.name}", f"--{error.flagname}", f"{meant}{hint}")))
    if match := re.fullmatch(r"flag --(\w+)=(.*?): (.*)", text):
        name, value, reason = match.groups()
        if reason.startswith("Expected "):
            return _value_error(name, reason)
        return UsageError(str(expected(f"a value that --{name} takes", f"{value or 'none'} ({reason})", hint)))
    if match := re.fullmatch(r"Missing value for flag (--\w+)", text):
        return UsageError(str(expected(f"a value for {match[1]}", "none", hint)))
    return UsageError(str(expected("flags that can be read", text, hint)))


def _value_error(name: str, reason: str) -> UsageError:
    return UsageError(reason, "" if f"--{name}" in reason else f"Change --{name}.")


def _default(flag, settings):
    if settings.get(flag.name, flag.default) is None:
        return "optional"
    if flag.name not in settings:
        return f"default {flag.default_as_str.strip(chr(39))}"
    value = settings[flag.name]
    several = value if isinstance(value, (list, tuple)) else [value]
    return f"default {','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in several) or 'none'}"


def _print_error(command, message, code):
    print(f"tfinv {command.name}: {' '.join(str(message).split())}", file=sys.stderr)
    return code

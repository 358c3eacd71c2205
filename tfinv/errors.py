"""The exception for errors that a user can cause."""

import contextlib
from collections.abc import Iterator


class UserError(ValueError):
    """Wrong input. The message says what was expected, what was received and what to change.

    The command line prints it as one line. Any other exception is a bug and shows its traceback.

    Args:
      complaint: the message.
      hint: the flag or argument to change, as a sentence that ends the message.
    """

    def __init__(self, complaint: str, hint: str = ""):
        super().__init__(f"{complaint} {hint}" if hint else complaint)
        self.complaint, self.hint = complaint, hint

    def __reduce__(self):
        return type(self), (self.complaint, self.hint)


class UsageError(UserError):
    """Flags or arguments that make no sense: exit code 2 of a command."""


def expected(expectation: str, received: object, hint: str = "") -> UserError:
    """Returns (does not raise) a `UserError`: "Expected ... Received: ... Change ...".

    Args:
      expectation: the valid input, without a full stop.
      received: the actual input.
      hint: the flag or argument to change, as a sentence.
    """
    return UserError(f"Expected {expectation}. Received: {received}.", hint)


@contextlib.contextmanager
def from_flag(names: str) -> Iterator[None]:
    """Within the block, a `UserError` says to change these flags instead of those that its own hint says to change.

    A hint that says something else is kept, and comes first.

    Args:
      names: the flags, such as "--robust_eps or --robust_training".
    """
    try:
        yield
    except UserError as error:
        hint = "" if error.hint.startswith("Change ") else f"{error.hint} "
        raise UserError(error.complaint, f"{hint.lstrip()}Change {names}.") from error

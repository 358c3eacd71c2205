"""The one error a user is expected to meet."""

import contextlib
from collections.abc import Iterator


class UserError(ValueError):
    """Wrong input, of which the message says all: what was expected, what was received, what to change.

    The command line prints it as one line; anything else that is raised is a bug and shows its traceback.

    Args:
      complaint: the message.
      hint: the flag or argument to change, as a sentence that ends the message.
    """

    def __init__(self, complaint: str, hint: str = ""):
        super().__init__(f"{complaint} {hint}" if hint else complaint)
        self.complaint, self.hint = complaint, hint

    def __reduce__(self):
        return type(self), (self.complaint, self.hint)


def expected(what: str, received: object, hint: str = "") -> UserError:
    """Returns (does not raise) a `UserError` in the project's form.

    Args:
      what: what would have been right, without a full stop.
      received: what came instead.
      hint: the flag or argument to change, as a sentence.
    """
    return UserError(f"Expected {what}. Received: {received}.", hint)


@contextlib.contextmanager
def from_flag(names: str) -> Iterator[None]:
    """Within it a `UserError` says to change these flags: what refuses a value knows the flag that usually has it, or none.

    Args:
      names: such as "--robust_eps or --robust_training".
    """
    try:
        yield
    except UserError as error:
        kept = "" if error.hint.startswith("Change ") else f"{error.hint} "
        raise UserError(error.complaint, f"{kept.lstrip()}Change {names}.") from error

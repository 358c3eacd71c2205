"""The one error a user is expected to meet."""


class UserError(ValueError):
    """Wrong input, of which the message says all: what was expected, what was received, what to change.

    The command line prints it as one line; anything else that is raised is a bug and shows its traceback.
    """


def expected(what: str, received: object, hint: str = "") -> UserError:
    """Returns (does not raise) a `UserError` in the project's form.

    Args:
      what: what would have been right, without a full stop.
      received: what came instead.
      hint: the flag or argument to change, as a sentence.
    """
    return UserError(f"Expected {what}. Received: {received}." + (f" {hint}" if hint else ""))

"""Everything that can go wrong on purpose, drawn as one small tree.

    TalentsealError
    ├── InputError        bytes that are not what they claim to be
    │   └── ProtocolError fault of a request for which its wire protocol has a word of its own
    ├── UsageError        the caller asked for something impossible
    ├── RefusedError      the act itself is not allowed (a grant, a state, a policy says no)
    ├── BundleError       trust data refused; whatever was in force stays in force
    └── UnavailableError  network, file, permission, key device, database

Every error carries a stable `code` (docs/reason-codes.md), a sentence that says what happened to
which thing, and a hint that says what to do next. Neither holds a key, a token or a claim.
An expected refusal of a credential is never an error: it is a check in a verdict.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of all four programs."""

    OK = 0  # accept, or done
    REFUSE = 1  # a credential, an update or a request was refused
    USAGE = 2  # the command line was wrong
    REFER = 3  # cannot tell, a person must look
    UNAVAILABLE = 4  # could not run: network, file, permission, key device


class TalentsealError(Exception):
    """The root of the tree; catch it at the outermost doors only."""

    exit = Exit.UNAVAILABLE

    # Where a request has several faults: pointer, kind and sentence of each.
    errors: Sequence[Mapping[str, str]] = ()

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class InputError(TalentsealError):
    """Hostile or broken bytes; inside `verify` it becomes a finding."""

    exit = Exit.REFUSE


class ProtocolError(InputError):
    """A fault that OAuth, OpenID4VCI or OpenID4VP have a word for, answered in their own JSON.

    error  the protocol's word for it, for example `invalid_proof`
    """

    def __init__(
        self, message: str, *, error: str, code: str = "REQUEST_INVALID", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.error = error


class UsageError(TalentsealError):
    """The caller asked for something that cannot be done."""

    exit = Exit.USAGE

    def __init__(self, message: str, *, code: str = "REQUEST_INVALID", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)


class RefusedError(TalentsealError):
    """The act is understood and not allowed; nothing was changed."""

    exit = Exit.REFUSE


class BundleError(TalentsealError):
    """Trust data was refused; the previous set stays in force."""

    exit = Exit.REFUSE


class UnavailableError(TalentsealError):
    """Something outside this program is missing or broken; trying again may help.

    is_unsent  True where a request failed of which it is known that nothing had left
    """

    exit = Exit.UNAVAILABLE
    is_unsent = False

    def __init__(
        self, message: str, *, code: str = "DEPENDENCY_UNAVAILABLE", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)

"""Refusals: every way the server says no, in the words of the domain.

Nothing below `http/` knows a status code; `http/problems.py` translates each of these once.
The message is read by the person at the other end, so it says what is wrong and what would be
right, and never carries a secret or a token.
"""


class Refusal(Exception):
    """Something asked for that is not given; `code` is its stable, documented name."""

    code = "refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Invalid(Refusal):
    """What was said cannot be understood or is out of range."""

    code = "invalid"


class NotJson(Refusal):
    """A body that should be `application/json` is not."""

    code = "not_json"


class TooLarge(Refusal):
    """More bytes than the limit for this place."""

    code = "too_large"


class Unfit(Refusal):
    """Understood, but its content may not be used: a damaged or mistaken image."""

    code = "unfit"


class Unauthenticated(Refusal):
    """No credential, or one that does not hold. The reason stays with us, not with strangers."""

    code = "unauthenticated"

    def __init__(self, detail: str, *, shown: bool = True) -> None:
        super().__init__(detail)
        self.shown = shown
        """A credential was presented (RFC 6750 then names the error, else only the scheme)."""


class Forbidden(Refusal):
    """Known or not, this caller may not do this."""

    code = "forbidden"


class NotFound(Refusal):
    """Not there, or not for this caller: both look the same."""

    code = "not_found"


class Conflict(Refusal):
    """It contradicts what already is."""

    code = "conflict"


class Outdated(Refusal):
    """A change meant for an edition that is no longer the present one."""

    code = "outdated"


class BeginAnew(Refusal):
    """What was begun cannot go on; from its first byte on it can be had."""

    code = "begin_anew"


class TooMany(Refusal):
    """Asked too often; worth another try after `retry_after_seconds`."""

    code = "too_many"

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    """The server cannot do it now (database away, stopping); trying again later helps."""

    code = "unavailable"


class DiskFull(Refusal):
    """There is no room to keep what this change must keep."""

    code = "disk_full"


class Misconfigured(Exception):
    """The server cannot start as it is set up. One line for the operator, exit status 2."""

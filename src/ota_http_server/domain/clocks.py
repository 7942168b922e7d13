"""How long ago something was, by clocks that differ a little and that somebody may set."""

CLOCKS_DIFFER_SECONDS = 60
"""What happened later than this from now was written by a clock that was set back since."""


def seconds_since(moment: int, at: int, steady_since: int) -> int:
    """How long ago the moment was for sure; less than 0 where another server's clock is ahead.

    The clock made no step since `steady_since`: what lies before a step, or behind now, is as long
    ago as that, for nobody knows how much longer. All are unix seconds.
    """
    if moment > at + CLOCKS_DIFFER_SECONDS:
        return at - steady_since
    return at - max(moment, min(steady_since, at))

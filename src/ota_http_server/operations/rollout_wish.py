"""What is wished for a rollout, in words from outside: the API's, or the command line's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import device_key, project_name
from ota_http_server.domain.release import release_version
from ota_http_server.domain.rollout import SHARES, Target, percent_of
from ota_http_server.domain.rollout_plan import STAGES_MAX, Mode, Plan, Policy, Stage
from ota_http_server.domain.selection import Selection
from ota_http_server.domain.windows import windows_of

DEVICES_MAX = 1_000  # named one by one; more are better described
SITE_TAG_CHARACTERS_MAX = 64
_PERCENTS = {
    "failed_percent_max": "failed_share_max",
    "silent_percent_max": "silent_share_max",
    "rolled_back_percent_max": "rolled_back_share_max",
}
_POLICY = tuple(one.name for one in fields(Policy) if one.name not in _PERCENTS.values())
_ITS_OWN = ("version", "stages", "select", "devices", "canaries", "takes_back", "reason")
_SWITCHES = ("override",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutWish:
    """What is asked for."""

    project: str
    version: str
    plan: Plan = field(default_factory=Plan)
    target: Target = field(default_factory=Target)
    canaries: frozenset[str] = frozenset()
    takes_back: bool = False
    """It is an older release, for devices that accept to go back."""
    reason: str = ""
    override: bool = False

    @classmethod
    def of(cls, project: str, said: Mapping[str, Any]) -> "RolloutWish":
        """The wish that these words express, or `Invalid`. What is not said has its default."""
        known = (*_ITS_OWN, *_SWITCHES, *_POLICY, *_PERCENTS)
        if strange := [name for name in said if name not in known]:
            raise Invalid(f"a rollout has no {strange[0]}")
        select = said.get("select")
        return cls(
            project=project_name(project),
            version=release_version(said.get("version")),
            plan=Plan(_stages(said.get("stages") or ()), _policy(said)),
            target=Target(
                None if select is None else Selection.parse(select),
                _devices("devices", said.get("devices")),
            ),
            canaries=_devices("canaries", said.get("canaries")),
            takes_back=bool(said.get("takes_back")),
            reason=said.get("reason") or "",
            override=bool(said.get("override")),
        )


def share_of(name: str, percent: object, least: int = 0) -> int:
    """Ten-thousandths of a percentage with two decimals at most, or `Invalid`."""
    if isinstance(percent, int | float) and not isinstance(percent, bool) and isfinite(percent):
        share = round(percent * SHARES / 100)
        if least <= share and 0 <= percent <= 100 and abs(share - percent * SHARES / 100) < 1e-6:
            return share
    raise Invalid(f"{name} must be {percent_of(least):g} to 100 percent, with two decimals at most")


def _stages(said: object) -> tuple[Stage, ...]:
    if not isinstance(said, list | tuple) or len(said) > STAGES_MAX:
        raise Invalid(f"stages must be a list of at most {STAGES_MAX}")
    return tuple(map(_stage, said))


def _stage(said: object) -> Stage:
    if not isinstance(said, Mapping) or "percent" not in said:
        raise Invalid("a stage has percent, and may have dwell_seconds and verified_min")
    more = {name: value for name, value in said.items() if name != "percent"}
    if strange := [name for name in more if name not in ("dwell_seconds", "verified_min")]:
        raise Invalid(f"a stage has no {strange[0]}")
    return Stage(share_of("percent", said["percent"]), **more)


def _policy(said: Mapping[str, Any]) -> Policy:
    policy = {name: said[name] for name in _POLICY if said.get(name) is not None}
    if "windows" in policy:
        policy["windows"] = windows_of(policy["windows"])
    if "mode" in policy:
        policy["mode"] = _mode(policy["mode"])
    site = policy.get("site_tag")
    if site is not None and not (
        isinstance(site, str) and 1 <= len(site) <= SITE_TAG_CHARACTERS_MAX
    ):
        raise Invalid("site_tag must be the beginning of the tags that name sites")
    for name, share in _PERCENTS.items():
        if said.get(name) is not None:
            policy[share] = share_of(name, said[name], least=1)
    return Policy(**policy)


def _mode(word: object) -> Mode:
    for mode in Mode:
        if word == mode.value:
            return mode
    raise Invalid(f"mode must be one of {', '.join(Mode)}")


def _devices(name: str, said: object) -> frozenset[str]:
    if said is None:
        return frozenset()
    if not isinstance(said, list | tuple) or len(said) > DEVICES_MAX:
        raise Invalid(f"{name} must be a list of at most {DEVICES_MAX:,}; more are better selected")
    return frozenset(map(device_key, said))

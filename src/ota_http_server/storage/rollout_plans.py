"""What never changes of a rollout, as the JSON text that its row has."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ota_http_server.domain.rollout import Rollout, Target
from ota_http_server.domain.rollout_plan import Mode, Policy, Stage
from ota_http_server.domain.selection import Selection
from ota_http_server.domain.windows import Window


def as_text(rollout: Rollout) -> str:
    selection = rollout.target.selection
    policy = asdict(rollout.policy)
    policy["windows"] = [window.text for window in rollout.policy.windows]
    return json.dumps(
        {
            "stages": [asdict(stage) for stage in rollout.stages],
            "selection": None if selection is None else selection.text,
            "devices": sorted(rollout.target.devices),
            "canaries": sorted(rollout.canaries),
            "policy": policy,
        }
    )


def from_text(text: str) -> dict[str, Any]:
    """The fields of a `Rollout` that the text holds."""
    plan = json.loads(text)
    selection = plan["selection"]
    return {
        "stages": tuple(Stage(**stage) for stage in plan["stages"]),
        "target": Target(
            None if selection is None else Selection.parse(selection), frozenset(plan["devices"])
        ),
        "canaries": frozenset(plan["canaries"]),
        "policy": _policy(plan["policy"]),
    }


def _policy(kept: Mapping[str, Any]) -> Policy:
    windows = tuple(Window.parse(window) for window in kept["windows"])
    return Policy(**{**kept, "windows": windows, "mode": Mode(kept["mode"])})

"""Options made from the knobs, and the settings that they, the environment and the file give."""

import os
import shlex
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.knob import Knob
from ota_http_server.levels import read_settings
from ota_http_server.security.secrets import read_secret_file
from ota_http_server.settings import Settings, env_name, knobs, option_names

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Say it for programs.")

SHOWN_SECRETS = "the process list shows it to everybody on this host: use the environment or a file"


def knob_options(command: F) -> F:
    """Adds `--config` and one option per knob. Values stay texts: the levels parse them alike."""
    for key, (field, knob) in reversed(knobs().items()):
        command = _option(key, field.type, knob)(command)
    return _config(command)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """For the commands: `--config` and `--data-dir`; the function receives `settings`."""

    @wraps(command)
    def with_settings(*args: Any, config: Path | None, data_dir: str | None, **kwargs: Any) -> Any:
        settings = load({"config": config, "data_dir": data_dir})
        return command(*args, settings=settings, **kwargs)

    _, knob = knobs()["data_dir"]
    return _config(_option("data_dir", Path, knob)(with_settings))


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """For the commands that open the data folder: the same, for its owner alone."""

    @wraps(command)
    def with_data(*args: Any, settings: Settings, **kwargs: Any) -> Any:
        # Serving imports this file before it patches what the database imports.
        # pylint: disable-next=import-outside-toplevel
        from ota_http_server.operations.prepare import Places, owner_beside_root

        if owner := owner_beside_root(Places(settings.data_dir)):
            raise Misconfigured(
                f"{settings.data_dir} belongs to {owner}, whose server could not read what root"
                f" writes there: run this as {owner}, with sudo -u {shlex.quote(owner)} in front"
            )
        return command(*args, settings=settings, **kwargs)

    return common_options(with_data)


def load(options: Mapping[str, object]) -> Settings:
    """The settings of all levels; `options` are the command line's, None where not given."""
    given = {k: v for k, v in options.items() if k != "config" and isinstance(v, str | bool)}
    config = options.get("config")
    path = config if isinstance(config, Path) else None
    return read_settings(given, os.environ, path, read_secret_file)


def shown_secrets(options: Mapping[str, object]) -> list[str]:
    """Warnings about secrets that were given on the command line."""
    return [
        f"--{key.replace('_', '-')}: {SHOWN_SECRETS}"
        for key, (_, knob) in knobs().items()
        if knob.secret and options.get(key) is not None
    ]


def _config(command: F) -> F:
    option = click.option(
        "--config",
        type=click.Path(path_type=Path),  # what is wrong with it, the levels say in one line
        metavar="FILE",
        help="Configuration file; config.toml in the working folder counts if it is there.",
    )
    return option(command)


def _option(key: str, kind: object, knob: Knob) -> Callable[[F], F]:
    help_text = f"{knob.meaning[0].upper()}{knob.meaning[1:]}. [env: {env_name(key, knob)}]"
    names = "/".join(option_names(key, kind))
    if kind is bool:
        return click.option(names, key, default=None, help=help_text)
    if knob.choices:
        help_text = f"{help_text[:-1]}; one of {', '.join(knob.choices)}]"
    return click.option(names, key, default=None, metavar=_metavar(key), help=help_text)


def _metavar(key: str) -> str:
    return key.rpartition("_")[2].upper()

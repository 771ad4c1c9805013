"""Root's commands become the daemon's user: after the configuration is read, before anything else is opened."""

from __future__ import annotations

import argparse

from aad.cli.exits import configured
from aad.config import Config
from aad.filesystem import privileges
from aad.filesystem.privileges import PrivilegesError


def configured_for_daemon(options: argparse.Namespace) -> Config:
    """Load the configuration and its secrets as the calling user; then root becomes the daemon's user. ConfigError.

    PrivilegesError: root can't.
    """
    config = configured(options)
    become_daemon(config)
    return config


def become_daemon(config: Config) -> None:
    """As root: become the owner of the store's folder, or `store.daemon_user` if there is none. PrivilegesError.

    Secrets are in `config` by now. Files opened later, such as users files and authorities, are opened as the daemon
    would open them.
    """
    logs = (config.log.file.parent,) if config.log.file and config.log.to in {"auto", "file"} else ()
    folder = config.state_folder
    if folder is None:
        privileges.become_user(config.daemon_user, logs)
        return
    try:
        privileges.become_owner(folder, logs)
    except PrivilegesError as error:
        message = f"the store {config.store.settings.path} can't be opened: {error}"
        raise PrivilegesError(message) from None

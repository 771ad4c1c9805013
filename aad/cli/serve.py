"""`aad serve`: runs the daemon, as one process or as several workers."""

from __future__ import annotations

import argparse
import os

from aad.cli.become import become_daemon
from aad.cli.exits import EX_FINE, configured, failed, takes_config, unavailable
from aad.daemon.daemon import serve
from aad.daemon.systemd import BadSocketError
from aad.daemon.workers import Workers
from aad.filesystem.privileges import keep_memory_private
from aad.ports import Unavailable

MOST_WORKERS = 64
EXAMPLE = "aad serve -c /etc/aad/aad.toml"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add -c and --workers."""
    parser.description = f"{parser.description} If root starts it, it first becomes the owner of the store's folder."
    takes_config(parser)
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        choices=range(1, MOST_WORKERS + 1),
        help="processes that share the work; one per core is enough; default: %(default)s",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM. Return the exit code."""
    try:
        keep_memory_private()  # every secret will be in it
        config = configured(options)
        if config.state_folder is not None:  # started by hand; the unit has its user from the beginning
            become_daemon(config)
        if options.workers > 1:
            return Workers(config, options.workers).run()
        serve(config)
    except Unavailable as error:
        return unavailable(error.what)
    except BadSocketError as error:
        return failed(str(error), os.EX_CONFIG)
    except OSError as error:  # a port that is taken, or not ours to open; the log's file
        return failed(str(error))
    return EX_FINE

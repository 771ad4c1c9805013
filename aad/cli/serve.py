"""`aad serve`."""

from __future__ import annotations

import argparse
import os

from aad.cli.exits import EX_FINE, configured, failed, takes_config, unavailable
from aad.daemon import serve
from aad.ports import Unavailable
from aad.service import BadSocket

EXAMPLE = "aad serve -c /etc/aad/aad.toml"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file."""
    takes_config(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    try:
        serve(configured(options))
    except Unavailable as error:
        return unavailable(error.what)
    except BadSocket as error:
        return failed(str(error), os.EX_CONFIG)
    except OSError as error:  # a port that is taken, or not ours to open; the log's file
        return failed(str(error))
    return EX_FINE

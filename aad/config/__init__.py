"""aad.toml and its drop-ins -> frozen values; every fault at once, by file and key."""

from aad.config.faults import ConfigError, Fault
from aad.config.load import Config, Plugin, Types, load

__all__ = ["Config", "ConfigError", "Fault", "Plugin", "Types", "load"]

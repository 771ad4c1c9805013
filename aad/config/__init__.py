"""aad.toml and its drop-ins -> frozen values; every fault at once, by file and key.

Where is a key defined? In the dataclass of its table: one field a key, `option(default, "sentence")`. aad.toml(5) is
made from them.

    [radius] [lockout] [limits] [log] [metrics]            sections.py
    [chains.NAME] [events.NAME]                            sections.py
    [store] key, daemon_user; [repositories.NAME] realms   sections.py
    [clients.NAME]                                         client.py
    [replies.NAME]                                         replies.py
    [https] [https.keys.NAME]                              https.py
    [https.portal]                                         portal.py
    [repositories.NAME] [senders.NAME] [methods.NAME]      `Settings` of the type: aad/repositories/, senders/, methods/
    [store]                                                `Settings` of the type: aad/stores/
    types of other packages                                `Settings` of the class that their entry point names

How is it read? `files.py` merges the files, `decode.py` turns tables into dataclasses, `values.py` single values, and
`load.py` does it all. Then the parts are checked against each other, from `consistency.py`: `selectors.py` (names),
`groups.py` (groups), `strength.py` (chains that ask for less), `decoys.py`; `event_chains.py` is their model.
"""

from aad.config.faults import ConfigError, Fault
from aad.config.load import Config, Plugin, Types, load

__all__ = ["Config", "ConfigError", "Fault", "Plugin", "Types", "load"]

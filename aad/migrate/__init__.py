"""Other servers' configurations -> aad.toml: text in, TOML and what couldn't be carried over out."""

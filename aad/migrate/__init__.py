"""Other servers' configurations -> aad.toml: text in; TOML out, with comments on what isn't carried over."""

"""Users and their hashed passwords in a TOML file: for whoever finds them there, or checks passwords by it."""

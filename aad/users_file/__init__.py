"""Users and their hashed passwords in a TOML file, for repositories/file.py and methods/file_password.py."""

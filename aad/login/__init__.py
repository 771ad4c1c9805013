"""One login in progress: the engine, and what it needs besides the rules of `core/`."""

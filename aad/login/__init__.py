"""One login at work: the engine, and what it needs besides the rules of `core/`."""

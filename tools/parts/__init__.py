"""Parts that several tools share: users, load, mail sink, configuration, readings and probes of a daemon."""

"""The HTTPS front: a website logs its users in, by the same engine as RADIUS does."""

"""The process: what `aad serve` runs, and how its parts are put together."""

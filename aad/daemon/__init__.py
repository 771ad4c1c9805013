"""The process that `aad serve` runs: its fronts, and the assembly of a configuration's parts."""

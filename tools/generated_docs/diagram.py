"""Prints the states of a login as a Mermaid diagram, drawn from `TRANSITIONS`; the README holds what this prints."""

from aad.core.conversation import TRANSITIONS


def diagram() -> str:
    """Return the diagram's text."""
    lines = ["stateDiagram-v2", f"    [*] --> {TRANSITIONS[0][0]}: the attempt"]
    lines += [f"    {before} --> {after}: {outcome}" for before, outcome, after in TRANSITIONS]
    ends = dict.fromkeys(after for _, _, after in TRANSITIONS if after not in {before for before, _, _ in TRANSITIONS})
    return "\n".join([*lines, *(f"    {end} --> [*]" for end in ends)])


if __name__ == "__main__":
    print(diagram())

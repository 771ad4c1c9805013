"""Prints the completion of `aad` for a shell. Usage: python -m tools.generated_docs.completion bash|zsh|fish."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tools.generated_docs.commands import Argument, Command, commands

BASH = """\
# bash completion for aad
_aad() {{
    local word=$2 before=$3 name= i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in -*) ;; *) name=${{COMP_WORDS[i]}}; break ;; esac
    done
    case "$name $before" in
{values}
    esac
    case $name in
{options}
    *) COMPREPLY=($(compgen -W '{names} --help' -- "$word")) ;;
    esac
}}
complete -F _aad aad
"""
ZSH = """\
#compdef aad
_aad() {{
    local curcontext=$curcontext context state line
    local -a names=(
{names}
    )
    _arguments -C '(-h --help)'{{-h,--help}}'[show help]' '1:command:->command' '*::argument:->argument'
    case $state in
    command) _describe command names ;;
    argument)
        case $words[1] in
{options}
        esac ;;
    esac
}}
_aad "$@"
"""
HELP = Argument(("-h", "--help"), "", "show help", (), required=False, is_file=False)


def bash() -> str:
    """Return the script for bash; it needs nothing of bash-completion."""
    values, options = [], []
    for command in commands():
        flags = [flag for argument in _all(command) for flag in argument.flags]
        options.append(f"    {command.name}) COMPREPLY=($(compgen -W '{' '.join(flags)}' -- \"$word\")) ;;")
        for argument in command.arguments:
            if argument.flags and argument.value:
                pattern = "|".join(f"'{command.name} {flag}'" for flag in argument.flags)
                values.append(f"    {pattern}) {_bash_value(argument)}return ;;")
    names = " ".join(command.name for command in commands())
    return BASH.format(values="\n".join(values), options="\n".join(options), names=names)


def _bash_value(argument: Argument) -> str:
    if argument.is_file:
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); '
    words = " ".join(argument.choices)
    return f"COMPREPLY=($(compgen -W '{words}' -- \"$word\")); " if words else ""


def zsh() -> str:
    """Return the function for zsh."""
    names = "\n".join(f"        '{command.name}:{_quoted(command.says)}'" for command in commands())
    options = (f"        {one.name}) _arguments {' '.join(_zsh_specs(one))} ;;" for one in commands())
    return ZSH.format(names=names, options="\n".join(options))


def _zsh_specs(command: Command) -> Iterator[str]:
    for argument in _all(command):
        what = "_files" if argument.is_file else f"({' '.join(argument.choices)})" if argument.choices else " "
        value = f":{argument.value.replace(':', chr(92) + ':')}:{what}" if argument.value else ""
        if not argument.flags:
            yield f"':{argument.value}:()'"
            continue
        says = f"[{_quoted(argument.says).replace('[', chr(92) + '[').replace(']', chr(92) + ']')}]"
        either = next((group for group in command.either if argument.flags[-1] in group), argument.flags)
        names = argument.flags[0] if len(argument.flags) == 1 else f"'{{{','.join(argument.flags)}}}'"
        yield f"'({' '.join(either)}){names}{says}{_quoted(value)}'"


def fish() -> str:
    """Return the commands for fish."""
    lines = ["# fish completion for aad", "complete -c aad -f"]
    for command in commands():
        says = _quoted(command.says)
        lines.append(f"complete -c aad -n __fish_use_subcommand -a {command.name} -d '{says}'")
        lines += [_fish_option(command, argument) for argument in _all(command) if argument.flags]
    return "\n".join(lines) + "\n"


def _fish_option(command: Command, argument: Argument) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in argument.flags)
    takes = " -r -F" if argument.is_file else " -x" if argument.value else ""
    words = f" -a '{' '.join(argument.choices)}'" if argument.choices else ""
    seen = f"-n '__fish_seen_subcommand_from {command.name}'"
    return f"complete -c aad {seen} {flags}{takes}{words} -d '{_quoted(argument.says)}'"


def _all(command: Command) -> tuple[Argument, ...]:
    return (*command.arguments, HELP)


def _quoted(text: str) -> str:
    """Return text for between single quotes of a shell."""
    return text.replace("'", "’")  # noqa: RUF001 - one that no shell takes for its own


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}

if __name__ == "__main__":
    print(SHELLS[sys.argv[1]](), end="")

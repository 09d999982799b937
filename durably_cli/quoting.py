"""Words as a shell reads them back."""

from __future__ import annotations

import os


def quoted(word: str | os.PathLike[str]) -> str:
    """A word as a shell reads it back.

    What a terminal would not show as it is, is spelled out as bash, zsh and ksh read it. A NUL,
    which no command line can hold, comes back as a backslash and a zero.
    """
    import shlex  # only for hints

    text = os.fspath(word)
    if text.isprintable():
        safe = shlex.quote(text)
        return f"'{text}'" if safe.startswith("=") else safe  # zsh reads =ls as /bin/ls
    return f"$'{''.join(map(_spelled, text))}'"


def _spelled(character: str) -> str:
    if character.isprintable() and character not in "\\'!":
        return character
    if character == "\0":
        return "\\1340"
    try:
        data = os.fsencode(character)
    except UnicodeEncodeError:  # half a surrogate pair
        data = character.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)

"""A project that is reached through a symbolic link, which a deploy may point elsewhere."""

from __future__ import annotations

from pathlib import Path

from durably_cli.engines.local import cache
from durably_cli.errors import DurablyError
from durably_cli.project.naming import NAME_VARIABLE, as_name
from durably_cli.project.script_files import is_script
from durably_cli.project.stores import folder_of_path

_OF_NO_PROJECT = frozenset(("current", "latest", "live", "release", "stable"))
"""Names of links that say nothing of what they lead to."""


def warning(project: Path, reached_by: Path) -> str | None:
    """What is to be said of a project without a name that is reached by that path, once ever.

    None if it was said before, if no link is on the path but those of the system (`/tmp`), and of
    a script, which takes no name.
    """
    link = _link_on(reached_by)
    if link is None or is_script(project) or not _is_first(project):
        return None
    of_parent = link.name.lower() in _OF_NO_PROJECT
    name = as_name((link.parent if of_parent else link).name)
    return (
        f"{link} is a symbolic link, and runs and keys are filed under {project}: a deploy that "
        "points the link elsewhere begins without them. To keep them, add this line where it is "
        f"deployed (crontab, unit), or the like: {NAME_VARIABLE}={name}    (said once)"
    )


def _link_on(path: Path) -> Path | None:
    for part in (path, *path.parents):
        if len(part.parts) > 2 and part.is_symlink():
            return part
    return None


def _is_first(project: Path) -> bool:
    try:
        said = cache.cache_file(folder_of_path(project).name, "linked")
    except DurablyError:  # where nothing can be remembered
        return True
    if cache.read_cache(said):
        return False
    cache.write_cache(said, True)
    return True

"""The type of an input field that is a secret."""

from __future__ import annotations

from pydantic import SecretStr


class Secret(SecretStr):
    """A secret of an input, given as `env:NAME` or `file:PATH`; pydantic's SecretStr does as well.

    In a job `get_secret_value()` is the value. For `Job.trigger`, `Secret.env("NAME")` and
    `Secret.file("/path")` say where it comes from.
    """

    @classmethod
    def env(cls, name: str) -> Secret:
        """The secret in an environment variable."""
        return cls(f"env:{name}")

    @classmethod
    def file(cls, path: str) -> Secret:
        """The secret in a file, whose path begins at the root."""
        return cls(f"file:{path}")

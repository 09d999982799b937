"""The version of durably, and the systems that it is not for."""

__version__ = "0.1.0"

NOT_ON_WINDOWS = (
    "durably runs on Linux and macOS, for it needs their locks; on Windows use it in WSL: "
    "https://learn.microsoft.com/windows/wsl/install"
)

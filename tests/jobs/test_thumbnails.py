"""The example job: real pictures, one of them broken, killed in the middle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import CODE, Project, Result
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all
from tests.harness.seeding import python_path

JOBS = Path(__file__).parents[2] / "jobs"
WHOLE = {"beach.jpg", "forest.png", "meadow.jpg", "tower.png"}
BROKEN = "harbour.jpg"


class Album(Project):
    """A project with the job, its pictures, and the thumbnails that it makes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.job_file = Path(shutil.copy(JOBS / "thumbnails.py", self.root / "jobs"))
        self.pictures = Path(shutil.copytree(JOBS / "pictures", self.root / "jobs" / "pictures"))
        self.thumbnails = self.root / "thumbnails"

    def mend(self) -> None:
        shutil.copy(self.pictures / "beach.jpg", self.pictures / BROKEN)

    def before_each(self, code: str) -> None:
        """Have the job do this at the beginning of each picture."""
        text, mark = self.job_file.read_text(), "    target = folder / picture.name\n"
        assert text.count(mark) == 1
        self.job_file.write_text(text.replace(mark, code + mark))

    def made(self) -> dict[str, tuple[int, int]]:
        """Which file each thumbnail is: one that is made again is another one."""
        stats = {path.name: path.stat() for path in self.thumbnails.glob("*")}
        return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}

    def completed(self, run: str = "@last") -> set[str]:
        """The pictures whose thumbnails the journal vouches for."""
        found = self.inspect(run)["checkpoints"]
        return {Path(file["path"]).name for each in found for file in each["files"]}


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path)


def output(result: Result) -> dict[str, object]:
    found = json.loads(result.out)
    assert isinstance(found, dict)
    return found


def test_a_broken_picture_stops_no_other_and_fails_the_run(album: Album) -> None:
    failed = album.run("trigger", "thumbnails", "--size", "64", expect=1)
    assert f"step thumbnail[{BROKEN}] failed: OSError: image file is truncated" in failed.err
    assert f"failed in step thumbnail[{BROKEN}]\n" in failed.err
    assert album.made().keys() == WHOLE
    for name in WHOLE:
        with Image.open(album.thumbnails / name) as thumbnail:
            assert thumbnail.size == (64, 48)


def test_once_it_is_mended_a_resume_makes_that_one_and_no_other(album: Album) -> None:
    album.run("trigger", "thumbnails", expect=1)
    before = album.made()
    album.mend()
    assert output(album.run("resume", "@failed")) == {"made": 5, "broken": {}}
    assert album.made() == {**before, BROKEN: album.made()[BROKEN]}


def test_pictures_that_were_added_and_removed_meanwhile_are_made_and_left_out(
    album: Album,
) -> None:
    album.run("trigger", "thumbnails", expect=1)
    before = album.made()
    (album.pictures / BROKEN).unlink()
    shutil.copy(album.pictures / "beach.jpg", album.pictures / "coast.jpg")
    assert output(album.run("resume", "@failed")) == {"made": 5, "broken": {}}
    assert album.made() == {**before, "coast.jpg": album.made()["coast.jpg"]}

    before = album.made()
    (album.pictures / "tower.png").unlink()
    shutil.copy(album.pictures / "beach.jpg", album.pictures / "a first one.jpg")
    assert output(album.run("fork", "@last")) == {"made": 5, "broken": {}}
    assert album.made() == {**before, "a first one.jpg": album.made()["a first one.jpg"]}


def test_a_thumbnail_that_is_gone_or_was_changed_is_made_again(album: Album) -> None:
    album.run("trigger", "thumbnails", expect=1)
    before, pixels = album.made(), (album.thumbnails / "tower.png").read_bytes()
    (album.thumbnails / "beach.jpg").unlink()
    (album.thumbnails / "tower.png").write_bytes(b"cut")
    album.mend()
    album.run("resume", "@failed")
    assert (album.thumbnails / "tower.png").read_bytes() == pixels
    again = {name for name, file in album.made().items() if before.get(name) != file}
    assert again == {"beach.jpg", "tower.png", BROKEN}


def test_where_broken_ones_are_allowed_the_output_says_which_and_a_fork_makes_them(
    album: Album,
) -> None:
    allowed = output(album.run("trigger", "thumbnails", "--allow-broken"))
    why = allowed["broken"][BROKEN]  # type: ignore[index]
    assert allowed == {"made": 4, "broken": {BROKEN: why}}
    assert "truncated" in why
    before = album.made()
    album.mend()
    assert output(album.run("fork", "@last", "--redo-failed")) == {"made": 5, "broken": {}}
    assert album.made() == {**before, BROKEN: album.made()[BROKEN]}


def test_as_many_as_was_said_are_made_at_the_same_time(album: Album) -> None:
    (album.pictures / BROKEN).unlink()
    with album.job_file.open("a") as job:
        job.write("\n\nimport threading\n\nall_four = threading.Barrier(4)\n")
    album.before_each("    all_four.wait(30)\n")
    assert output(album.run("trigger", "thumbnails", "--at-once", "4"))["made"] == 4


def test_killed_in_the_middle_nothing_is_made_twice_that_was_acknowledged(album: Album) -> None:
    album.before_each(
        "    import os, time\n"
        "    with open(os.environ['EFFECTS'], 'a') as effects:\n"
        "        print(picture.name, file=effects)\n"
        "    while picture.name == 'meadow.jpg' and not os.path.exists('go'):\n"
        "        time.sleep(0.01)\n"
    )
    with album.start("trigger", "thumbnails", "--at-once", "2") as process:
        album.wait_for_effects(line="tower.png")
        deadline = time.monotonic() + 60
        while "tower.png" not in album.completed():
            assert time.monotonic() < deadline, "it is never acknowledged"
            time.sleep(0.01)
        process.kill()
    assert album.completed() == WHOLE - {"meadow.jpg"}
    before = album.made()
    album.mend()
    (album.root / "go").touch()
    assert output(album.run("resume", "@last"))["made"] == 5
    assert {name: album.made()[name] for name in before} == before
    again = Counter({"meadow.jpg": 1, BROKEN: 1})
    assert Counter(album.effects) == Counter({*WHOLE, BROKEN}) + again


@some_or_all(4)
def test_killed_anywhere_what_the_journal_has_is_not_made_again(album: Album, every: int) -> None:
    album.mend()
    keys = list[str]()

    def args() -> tuple[str, ...]:
        shutil.rmtree(album.thumbnails, ignore_errors=True)
        keys.append(f"run-{len(keys)}")
        return "trigger", "thumbnails", "--at-once", "2", "--idempotency-key", keys[-1]

    def check(number: int) -> None:
        key = keys[-1]
        run = f"key:thumbnails/{key}"
        is_there = album.run("inspect", run, expect=None).code == 0
        acknowledged = album.completed(run) if is_there else set()
        before = {name: album.made()[name] for name in acknowledged}
        again = album.run("trigger", "thumbnails", "--at-once", "2", "--idempotency-key", key)
        assert output(again) == {"made": 5, "broken": {}}
        made = album.made()
        assert made.keys() == {*WHOLE, BROKEN}
        assert {name: made[name] for name in before} == before

    assert killed_everywhere(album, args, check, every) > 50


def test_thumbnails_never_replace_the_pictures(album: Album) -> None:
    before = {path.name: path.read_bytes() for path in album.pictures.iterdir()}
    (album.root / "link").symlink_to(album.pictures)
    refused = album.run("trigger", "thumbnails", "--thumbnails", "link", expect=65)
    assert "the thumbnails would replace the pictures" in refused.err
    assert {path.name: path.read_bytes() for path in album.pictures.iterdir()} == before


def test_a_picture_that_was_taken_upright_stands_upright(album: Album) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was held upright
    Image.new("RGB", (400, 300)).save(album.pictures / "upright.jpg", exif=exif)
    album.run("trigger", "thumbnails", "--allow-broken")
    with Image.open(album.thumbnails / "upright.jpg") as thumbnail:
        assert thumbnail.size == (150, 200)


@pytest.mark.long
def test_without_pillow_it_says_what_to_install_and_hides_no_job(
    album: Album, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().startswith(("pil", "__pycache__")) and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    without = [sys.executable, "-S", "-m", "durably_cli"]
    imported = python_path(CODE, CODE / "durably_cli" / "alias", packages)

    def run(*args: str) -> Result:
        env = album.env | {"PYTHONPATH": imported}
        command = [*without, *args]
        done = subprocess.run(command, cwd=album.root, env=env, capture_output=True, text=True)
        return Result(done.returncode, done.stdout, done.stderr)

    listed, failed = run("jobs"), run("trigger", "thumbnails")
    assert (listed.code, listed.err) == (0, ""), listed
    assert listed.out.startswith("thumbnails\t"), listed
    assert failed.code == 1, failed
    assert "-m pip install pillow\n" in failed.err
    assert BROKEN not in failed.err  # it says of no picture that it is broken
    album.mend()
    assert output(album.run("resume", "@failed"))["made"] == 5

"""Make a thumbnail of each picture in a folder, several at once; broken ones stop no other.

One of the pictures that are shipped was cut off by a download, as happens. All others are made,
and then the run fails, with the names of the broken ones: so cron mails, and `durably list` shows,
that something is left to do. Mend the picture, or remove it: `durably resume @failed` makes what is
missing, and nothing else. With `--allow-broken` the run completes, and says what is broken.
"""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Self

from durably import File, Step, define_job
from pydantic import BaseModel, Field, PositiveInt, model_validator

HERE = Path(__file__).resolve().parent
KINDS = {".gif", ".jpeg", ".jpg", ".png", ".webp"}


class ThumbnailsInput(BaseModel):
    pictures: Path = Field(default=HERE / "pictures", description="the folder of pictures")
    thumbnails: Path = Field(
        default=HERE.parent / "thumbnails", description="the folder to write to"
    )
    size: PositiveInt = Field(default=200, description="pixels of the longer side")
    at_once: PositiveInt = Field(default=4, description="how many pictures are in memory at a time")
    allow_broken: bool = Field(
        default=False, description="complete though some pictures are broken"
    )

    @model_validator(mode="after")
    def refuse_to_replace_pictures(self) -> Self:
        if self.thumbnails.resolve() == self.pictures.resolve():
            raise ValueError("the thumbnails would replace the pictures")
        return self


class ThumbnailsOutput(BaseModel):
    made: int = Field(description="how many thumbnails there are, those of earlier attempts too")
    broken: dict[str, str] = Field(description="why, by the name of the picture")


@define_job
def thumbnails(step: Step, payload: ThumbnailsInput) -> ThumbnailsOutput:
    """Make a thumbnail of each picture in a folder."""
    import_module("PIL")  # here: missing in `make`, it would make each picture a broken one

    # No step: each attempt sees which pictures there are now, and makes those that were added. They
    # are known by name, so one that was made and has another content since takes a --redo.
    pictures = sorted(path for path in payload.pictures.iterdir() if path.suffix.lower() in KINDS)
    payload.thumbnails.mkdir(parents=True, exist_ok=True)
    found = step.map(
        "thumbnail",
        partial(make, folder=payload.thumbnails, size=payload.size),
        pictures,
        key=lambda picture: picture.name,
        concurrency=payload.at_once,
        on_error="collect",
    )
    if not payload.allow_broken:
        found.raise_if_failed()
    return ThumbnailsOutput(
        made=len(found.ok),
        broken={name: str(error) for name, error in found.failed.items()},
    )


def make(picture: Path, folder: Path, size: int) -> File:
    """The thumbnail, whole or not there. Pillow works beside other threads: it frees the GIL."""
    from PIL import Image, ImageOps

    target = folder / picture.name
    part = target.with_name(f"{target.name}.part")
    with Image.open(picture) as image:
        image.thumbnail((size, size))
        ImageOps.exif_transpose(image, in_place=True)
        image.save(part, format=image.format)
    part.replace(target)
    return File(target)

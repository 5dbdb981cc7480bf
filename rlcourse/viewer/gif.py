"""Pictures one after another as an animated GIF, with one palette for all of them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rlcourse.colours import PAPER
from rlcourse.errors import UsageError
from rlcourse.folders import replace_file

MOST_FRAMES = 500
"""Frames of a GIF at most: 50 seconds at ten a second, some megabytes, and 250 MB of memory while it is written."""
TICK, SHORTEST, LONGEST = 10, 20, 60_000
"""GIF counts in hundredths of a second; what is shorter than two of them, browsers show slowly. Milliseconds."""
LAST = 1_500
"""How long the last frame stands before it begins anew, in milliseconds at least."""
COLOURS, EXACT, SAMPLE = 255, 192, 16
"""Colours of the palette (one more says: as before), how many of them are the most frequent ones as they are, and from how
many frames they are taken."""


def frame_time(fps: float) -> int:
    """Milliseconds that a frame stands: what `fps` asks for, as near as GIF comes to it.

    Args:
        fps: frames a second; 0 is as fast as can be.

    Raises:
        UsageError: a negative one, or none at all.
    """
    if not 0.0 <= fps < float("inf"):
        raise UsageError(f"fps={fps} must be a finite number of at least 0")
    if fps < 1000.0 / LONGEST:
        return LONGEST if fps else SHORTEST
    return max(SHORTEST, round(1000.0 / fps / TICK) * TICK)


def write_gif(path: str | Path, frames: Iterable[NDArray[np.uint8]], fps: float = 10.0) -> tuple[int, bool]:
    """Write an animated GIF that begins anew for ever; whole or not at all.

    Args:
        path: the file.
        frames: pictures `uint8 [H, W, 3]`; no more than `MOST_FRAMES` are taken. Where one is smaller than another, the rest
            of it is empty.
        fps: frames a second (see `frame_time`).

    Returns:
        The number of frames, and whether there would have been more.

    Raises:
        UsageError: no frame, or an impossible `fps`.
    """
    time = frame_time(fps)
    packed: list[
        tuple[bytes, tuple[int, ...]]
    ] = []  # all are needed for the palette, and would not fit the memory
    more = False
    for frame in frames:
        if len(packed) == MOST_FRAMES:
            more = True
            break
        packed.append((zlib.compress(np.ascontiguousarray(frame).tobytes(), 1), frame.shape))
    if not packed:
        raise UsageError("a GIF needs at least one frame")
    high, wide, _ = map(max, zip(*(shape for _, shape in packed), strict=True))

    def unpack(place: int) -> NDArray[np.uint8]:
        blob, shape = packed[place]
        frame = np.frombuffer(zlib.decompress(blob), np.uint8).reshape(shape)
        if shape == (high, wide, 3):
            return frame
        whole = np.full((high, wide, 3), PAPER, np.uint8)
        whole[: shape[0], : shape[1]] = frame
        return whole

    sample = sorted({round(place) for place in np.linspace(0, len(packed) - 1, SAMPLE)})
    palette = Palette([unpack(place) for place in sample])
    images = (palette.image(unpack(place)) for place in range(len(packed)))
    times = [time] * (len(packed) - 1) + [max(time, LAST)]
    blob = io.BytesIO()
    next(images).save(
        blob,
        "GIF",
        save_all=True,
        append_images=images,
        duration=times,
        loop=0,
        palette=palette.raw,
        optimize=True,  # a pixel that stays is not written again
        disposal=1,
    )
    replace_file(Path(path), blob.getvalue())
    return len(packed), more


class Palette:
    """The colours that pictures need most. Flat colours stay exactly what they are; Pillow alone would shift them.

    Args:
        images: pictures `uint8 [H, W, 3]`.
    """

    def __init__(self, images: list[NDArray[np.uint8]]) -> None:
        counts = np.bincount(np.concatenate([_codes(image).reshape(-1) for image in images]))
        found = np.flatnonzero(counts)
        colours = found[np.argsort(-counts[found], kind="stable")]
        if len(colours) > COLOURS:
            rest = np.repeat(colours[EXACT:], np.minimum(counts[colours[EXACT:]], SAMPLE))
            cut = Image.fromarray(_colours(rest)[None]).quantize(COLOURS - EXACT, dither=Image.Dither.NONE)
            mixed = np.array(cut.getpalette(), np.uint8).reshape(-1, 3)
            colours = np.concatenate([colours[:EXACT], np.setdiff1d(_codes(mixed), colours[:EXACT])])
        self.raw = _colours(colours).tobytes()
        """Red, green, blue of one colour after another."""
        self._index = np.full(1 << 24, -1, np.int16)
        self._index[colours] = np.arange(len(colours))

    def image(self, image: NDArray[np.uint8]) -> Image.Image:
        """A picture in these colours; what is none of them takes one that is near."""
        codes = _codes(image)
        places = self._index[codes]
        if (places < 0).any():
            unknown = np.unique(codes[places < 0])
            near = Image.fromarray(_colours(unknown)[None]).quantize(
                palette=self._made(b"\0", (1, 1)), dither=Image.Dither.NONE
            )
            self._index[unknown] = np.asarray(near)[0]
            places = self._index[codes]
        return self._made(places.astype(np.uint8).tobytes(), (image.shape[1], image.shape[0]))

    def _made(self, places: bytes, size: tuple[int, int]) -> Image.Image:
        made = Image.frombytes("P", size, places)
        made.putpalette(self.raw)
        return made


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours `[..., 3]` as one number each."""
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _colours(codes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)

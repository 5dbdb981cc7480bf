"""GIFs: as many frames as there were, of the right size and time, in one palette, with exact flat colours."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

import rlcourse.viewer.gif as gif
from rlcourse.errors import UsageError
from rlcourse.viewer.gif import frame_time, write_gif


def moving(count, high=40, wide=60):
    """A blue square on grey that moves right, on one red dot that stays."""
    images = np.full((count, high, wide, 3), 220, np.uint8)
    for place, image in enumerate(images):
        image[10:14, 2 + place % 50 : 6 + place % 50] = (0, 114, 178)
        image[30, 30] = (213, 94, 0)
    return list(images)


def read(path):
    with Image.open(path) as image:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
        return frames, times, image.info


def colour_tables(blob):
    """How many of the images of a GIF have a colour table of their own (GIF89a specification, section 20)."""
    stream = io.BytesIO(blob)
    stream.read(10)
    flags = stream.read(1)[0]
    assert flags & 0x80  # there is a global one
    stream.read(2 + 3 * 2 ** ((flags & 7) + 1))
    local = 0
    while (kind := stream.read(1)) != b";":
        if kind == b"!":
            stream.read(1)
        else:
            assert kind == b","
            flags = stream.read(9)[8]
            local += flags >> 7
            stream.read((3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0) + 1)
        while size := stream.read(1)[0]:
            stream.read(size)
    return local


def test_frames_sizes_and_times(tmp_path):
    images = moving(12)
    assert write_gif(tmp_path / "a.gif", images, fps=8) == (12, False)
    frames, times, info = read(tmp_path / "a.gif")
    assert len(frames) == 12
    assert times == [120] * 11 + [1500]  # 125 ms are not a multiple of 10
    assert info["loop"] == 0
    for frame, image in zip(frames, images, strict=True):
        assert np.array_equal(frame, image)


def test_one_palette_and_only_what_moves(tmp_path):
    write_gif(tmp_path / "a.gif", moving(50, 400, 600))
    blob = (tmp_path / "a.gif").read_bytes()
    assert colour_tables(blob) == 0
    assert len(blob) < 15_000


def test_flat_colours_stay_exact_among_many(tmp_path):
    """Next to more colours than a palette holds, large surfaces keep theirs, and the others come near."""
    rng = np.random.default_rng(0)
    images = moving(3, 100, 100)
    for image in images:
        image[50:90, 50:90] = rng.integers(0, 256, (40, 40, 3))
    write_gif(tmp_path / "a.gif", images)
    frames, _, _ = read(tmp_path / "a.gif")
    for frame, image in zip(frames, images, strict=True):
        assert np.array_equal(frame[:30], image[:30])
        assert np.abs(frame.astype(int) - image).mean() < 5
    assert colour_tables((tmp_path / "a.gif").read_bytes()) == 0


def test_a_picture_that_stays_stands_longer(tmp_path):
    still = moving(1) * 3
    assert write_gif(tmp_path / "a.gif", still, fps=10) == (3, False)
    frames, times, _ = read(tmp_path / "a.gif")
    assert len(frames) == 1
    assert times == [100 + 100 + 1500]


def test_a_long_show_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(gif, "MOST_FRAMES", 5)
    taken = []

    def endless():
        for image in moving(50):
            taken.append(1)
            yield image

    assert write_gif(tmp_path / "a.gif", endless()) == (5, True)
    assert len(read(tmp_path / "a.gif")[0]) == 5
    assert len(taken) == 6  # nobody plays on for nothing
    assert write_gif(tmp_path / "a.gif", moving(5)) == (5, False)


@pytest.mark.parametrize(
    ("fps", "milliseconds"),
    [(10, 100), (50, 20), (30, 30), (1000, 20), (0, 20), (3, 330), (0.5, 2000), (1e-9, 60_000)],
)
def test_time_of_a_frame(fps, milliseconds):
    assert frame_time(fps) == milliseconds


@pytest.mark.parametrize("fps", [-1, float("nan"), float("inf")])
def test_impossible_speeds(fps):
    with pytest.raises(UsageError, match="fps="):
        frame_time(fps)


def test_frames_of_different_sizes_share_the_largest(tmp_path):
    """As from a world whose mazes are not all of one size."""
    small, tall, broad = moving(1)[0], moving(1, 50)[0], moving(1, 40, 80)[0]
    write_gif(tmp_path / "a.gif", [small, tall, broad])
    frames, _, _ = read(tmp_path / "a.gif")
    for frame, image in zip(frames, (small, tall, broad), strict=True):
        assert frame.shape == (50, 80, 3)
        assert np.array_equal(frame[: image.shape[0], : image.shape[1]], image)
        assert (frame[image.shape[0] :] == (247, 247, 249)).all()


def test_no_frames(tmp_path):
    with pytest.raises(UsageError, match="at least one frame"):
        write_gif(tmp_path / "a.gif", [])
    assert list(tmp_path.iterdir()) == []

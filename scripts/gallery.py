"""The page of the worlds, docs/gallery.md: what each of them is, with a picture.

python scripts/gallery.py [FOLDER]

Made of the registry and the docstrings. Run it again whenever a world is added or looks different.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.names import NAMESPACE, short_name
from rlcourse.viewer.gif import Palette

SEED, STEPS = 1, 40
"""The picture is taken after so many random steps, or at the last one before the episode is over."""
WIDTH, HEIGHT = 480, 400
"""A picture is made to fit into so many pixels."""
SECTIONS = {
    "Observation Space": "Observations",
    "Action Space": "Actions",
    "Rewards": "Rewards",
    "Episode End": "End of an episode",
}
"""Sections of the docstrings that the page shows, and what they are called there."""
HEAD = """\
# The worlds

Every world that comes with the package, {count} in all. This page is made by `python scripts/gallery.py` from the
docstrings, which also have the options of each world; `rlcourse play --env ID` lets you play it. The pictures show the
world at its default options, some random steps into an episode.

"""


def main(folder: str = "docs") -> None:
    out = Path(folder)
    (out / "gallery").mkdir(parents=True, exist_ok=True)
    ids = [name for name in gymnasium.registry if name.startswith(NAMESPACE)]
    parts = []
    for env_id in ids:
        name = short_name(env_id)
        save(picture(env_id), out / "gallery" / f"{name}.png")
        parts.append(entry(env_id))
        print(f"{name}: {(out / 'gallery' / f'{name}.png').stat().st_size / 1000:.1f} kB", file=sys.stderr)
    contents = "".join(
        f"- [{short_name(env_id)}](#{anchor(short_name(env_id))}): {headline(env_id)}\n" for env_id in ids
    )
    (out / "gallery.md").write_text(HEAD.format(count=len(ids)) + contents + "\n" + "\n".join(parts))


def picture(env_id: str) -> NDArray[np.uint8]:
    """The world some random steps into an episode, `uint8 [H, W, 3]`."""
    env = gymnasium.make(env_id, render_mode="rgb_array")
    _, info = env.reset(seed=SEED)
    env.action_space.seed(SEED)
    image: Any = env.render()
    for _ in range(STEPS):
        _, _, terminated, truncated, info = env.step(env.action_space.sample(info.get("action_mask")))
        if terminated or truncated:
            break
        image = env.render()
    env.close()
    return image


def save(image: NDArray[np.uint8], path: Path) -> None:
    """As a small PNG in palette colours."""
    drawn = Image.fromarray(image)
    drawn.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    small = np.asarray(drawn)
    Palette([small]).image(small).save(path, optimize=True)


def entry(env_id: str) -> str:
    """The world in Markdown: headline, picture, spaces, and what its docstring says of them."""
    name, text = short_name(env_id), docstring(env_id)
    env = gymnasium.make(env_id)
    spaces = {"Observation Space": env.observation_space, "Action Space": env.action_space}
    env.close()
    parts = [f"## {name}", f"{headline(env_id)}.", f"![{headline(env_id)}](gallery/{name}.png)"]
    parts.append(section(text, "Description"))
    for title, label in SECTIONS.items():
        said = section(text, title)
        if title in spaces and not said.startswith(f"`{spaces[title]}`"):
            label = f"{label} (`{spaces[title]}` by default)"
        parts.append(f"**{label}:**{chr(10) * 2 if said.startswith('|') else ' '}{said}")
    return "\n\n".join(parts) + "\n"


def docstring(env_id: str) -> str:
    """Of the class of the world."""
    module, attribute = str(gymnasium.spec(env_id).entry_point).split(":")
    return inspect.getdoc(getattr(importlib.import_module(module), attribute)) or ""


def headline(env_id: str) -> str:
    """The first line of the docstring, without its full stop."""
    return docstring(env_id).split("\n")[0].removesuffix(".")


def section(text: str, title: str) -> str:
    """A section of a docstring."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, flags=re.S | re.M)
    return (found[1] if found else "").strip()


def anchor(name: str) -> str:
    """The link to a heading, as GitHub makes it."""
    return re.sub(r"[^\w-]", "", name.lower())


if __name__ == "__main__":
    main(*sys.argv[1:2])

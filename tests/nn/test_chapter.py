"""The code of docs/supervised.md is real: it runs, and gives what it says."""

import re
from pathlib import Path
from typing import Any

import numpy as np

TEXT = (Path(__file__).parents[2] / "docs" / "supervised.md").read_text()


def test_the_chapter_runs_from_top_to_bottom() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.S | re.M)
    assert len(blocks) == 4

    exec(compile(blocks[0], "docs/supervised.md, 1", "exec"), names)
    assert names["model"].score(names["test"]).min() > 0.85
    assert names["result"].validation_loss.shape[1] == 10
    assert (names["result"].epochs < 200).all()

    exec(compile(blocks[1], "docs/supervised.md, 2", "exec"), names)
    apart = [set(map(tuple, part.x.tolist())) for part in names["parts"]]
    assert not apart[0] & apart[1]

    exec(compile(blocks[2], "docs/supervised.md, 3", "exec"), names)
    assert names["strengths"][0] < names["best"] < names["strengths"][-1]
    assert names["path"].coef.shape == (25, 20, 1)

    exec(compile(blocks[3], "docs/supervised.md, 4", "exec"), names)
    outputs = names["predict"](names["network"], names["planes"])
    assert outputs.shape == (3, 64, 4)
    assert np.isfinite(outputs.numpy()).all()

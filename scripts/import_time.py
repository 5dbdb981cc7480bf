"""How long `import rlcourse` takes next to `import gymnasium`, and how long every `--help` takes.

    python scripts/import_time.py [--repeats 15]

Medians over fresh processes, taken in turns so that a busy moment of the machine falls on all of them alike. The time in which
the interpreter itself starts is taken off the imports; the help is the whole command, as a person waits for it.
"""

import argparse
import statistics
import subprocess
import sys
import time

HELP = {
    "rlcourse --help": ["--help"],
    "rlcourse list --help": ["list", "--help"],
    "rlcourse train --help": ["train", "--help"],
    "rlcourse train --agent ucb --env CandyMachines-v0 --help": [
        "train",
        "--agent",
        "ucb",
        "--env",
        "CandyMachines-v0",
        "--help",
    ],
    "rlcourse evaluate --help": ["evaluate", "--help"],
    "rlcourse bench --help": ["bench", "--help"],
}


def seconds(*words: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="processes of each kind (default: 15)")
    repeats = parser.parse_args().repeats
    commands = {
        "python": ("-c", "pass"),
        "import gymnasium": ("-c", "import gymnasium"),
        "import rlcourse": ("-c", "import rlcourse"),
        **{name: ("-m", "rlcourse", *words) for name, words in HELP.items()},
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for words in commands.values():
        seconds(*words)  # once for the disk's sake
    for _ in range(repeats):
        for name, words in commands.items():
            times[name].append(seconds(*words))
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"{name:<58} {1000 * value:6.0f} ms   (best {1000 * min(times[name]):.0f} ms)")
    ratio = (median["import rlcourse"] - median["python"]) / (median["import gymnasium"] - median["python"])
    print(f"import rlcourse / import gymnasium, less the interpreter: {ratio:.2f} (aim: at most 1.3)")


if __name__ == "__main__":
    main()

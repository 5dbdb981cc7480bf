"""`python -m rlcourse` is the command `rlcourse`."""

import sys

from rlcourse.cli import main

if __name__ == "__main__":
    sys.exit(main())

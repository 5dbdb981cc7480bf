"""Drawing: pictures of the worlds as pygame surfaces, and the window that shows them."""

import os

# pygame greets on stdout when it is imported, which would spoil `--json`
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

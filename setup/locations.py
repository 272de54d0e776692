"""Where the lab keeps its things: inside the checkout, and in the user's cache."""

import hashlib
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LAB = CHECKOUT / ".lab"
LOGS = LAB / "logs"
PYTHON_HOME = LAB / "python"
PYTHON = PYTHON_HOME / "bin" / "python"


def user_cache():
    """This project's part of the user's cache folder, shared by all checkouts."""
    configured = os.environ.get("XDG_CACHE_HOME")
    if configured:
        base = Path(configured)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "neural-composer"


def kernel_home():
    """Where the pre-built library and the running kernels' folders lie.

    evcxr cannot work in a folder whose path holds a space; a checkout at such a place keeps this
    part in the user's cache instead.
    """
    if not any(character.isspace() for character in str(LAB)):
        return LAB / "kernel"
    digest = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    return user_cache() / "checkouts" / digest

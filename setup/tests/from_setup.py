"""Lets the tests import the set-up's modules, which lie one folder up."""

import sys
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent
CHECKOUT = SETUP.parent
sys.path.insert(0, str(SETUP))

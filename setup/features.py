"""The cargo features that the lab was last prepared with; kernels start with these."""

import json

from locations import kernel_home


def features_file():
    return kernel_home() / "features.json"


def save_features(features):
    features_file().parent.mkdir(parents=True, exist_ok=True)
    features_file().write_text(json.dumps(features), encoding="utf-8")


def saved_features():
    """A list; None where the lab was never prepared."""
    try:
        return json.loads(features_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None

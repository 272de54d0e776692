"""JupyterLab's defaults in this lab; a user's own settings come before them."""

import json

from locations import LAB

# `./lab` names this folder to Jupyter in JUPYTER_CONFIG_DIR.
CONFIG = LAB / "jupyter" / "config"

DEFAULTS = {
    # Otherwise the first start opens with a question about fetching news from a website, and each
    # start asks another one for newer versions: `environment.yml` says which are used.
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
}


def write_default_settings():
    folder = CONFIG / "labconfig"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(DEFAULTS, indent=2) + "\n"
    (folder / "default_setting_overrides.json").write_text(text, encoding="utf-8")

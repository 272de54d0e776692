"""Tells Jupyter about the lab's kernels, inside the lab's own Python environment."""

import json

import evcxr_kernel
from locations import CHECKOUT, PYTHON, PYTHON_HOME
from own_kernel import register_own_kernel

STOCK = "neural-composer-stock"


def register_kernels(features):
    """The lab's own kernel, and the stock one where it is installed."""
    register_own_kernel(features)
    if evcxr_kernel.binary().exists():
        folder = PYTHON_HOME / "share" / "jupyter" / "kernels" / STOCK
        folder.mkdir(parents=True, exist_ok=True)
        launcher = CHECKOUT / "setup" / "kernel_launcher.py"
        kernel = {
            "argv": [str(PYTHON), str(launcher), "{connection_file}"],
            "display_name": "Rust (NeuralComposer, stock evcxr)",
            "language": "rust",
            "interrupt_mode": "message",
        }
        text = json.dumps(kernel, indent=2, ensure_ascii=False) + "\n"
        (folder / "kernel.json").write_text(text, encoding="utf-8")

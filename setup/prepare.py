"""Makes the lab ready, step by step; each step does nothing when its result is there already."""

import argparse
import contextlib
import sys

from evcxr_kernel import evcxr_compiled
from features import save_features
from file_lock import locked
from jupyter_settings import write_default_settings
from kernelspecs import register_kernels
from locations import LAB
from own_kernel import ensure_library, program_compiled
from prebuilt_library import ensure_template
from progress import StepFailed
from python_environment import ensure_python_environment
from rust_toolchain import ensure_components


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", default="", help="cargo features, separated by commas")
    parser.add_argument("--stock", action="store_true", help="prepare the stock kernel as well")
    options = parser.parse_args()
    features = sorted(name for name in options.features.split(",") if name)
    with locked(LAB / "prepare.lock", "Another ./lab prepares this checkout: waiting for it."):
        write_default_settings()
        ensure_components()
        with evcxr_compiled() if options.stock else contextlib.nullcontext():
            # Packages come from afar, while the kernel keeps the processor busy.
            with program_compiled():
                ensure_python_environment()
            ensure_library(features)
        if options.stock:
            ensure_template(features)
        save_features(features)
        register_kernels(features)


if __name__ == "__main__":
    try:
        main()
    except StepFailed as problem:
        sys.exit(f"./lab: {problem}")
    except KeyboardInterrupt:
        sys.exit("\n./lab: stopped. Start it again and it goes on where it was.")

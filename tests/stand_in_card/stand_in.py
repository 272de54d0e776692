"""Makes the stand-in: a toolkit that cargo builds with, and libraries that programs open."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Names under which programs open the one library, and those that the linker asks for.
OPENED = [
    "libcuda.so.1", "libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10",
    "libnvrtc.so.13",
]  # fmt: skip
LINKED = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"]
# Candle's kernels in which no thread needs another one; the reductions are in reduce.cpp.
CANDLES = ["affine", "binary", "cast", "fill", "indexing", "ternary", "unary"]
KERNEL = re.compile(r'extern "C"\s+void\s+(\w+)\s*\(')
COMPILER = ["c++", "-std=c++17", "-O2", "-fPIC", "-w", "-fno-strict-aliasing"]


def candles_kernels(checkout):
    """The folder of Candle's kernels, where cargo has put it."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--features", "cuda"]
    told = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    packages = json.loads(told)["packages"]
    found = next(package for package in packages if package["name"] == "candle-kernels")
    return Path(found["manifest_path"]).parent / "src"


def toolkit(folder):
    """A compiler that compiles nothing, and libraries that have nothing, for cargo."""
    for part in ["bin", "lib", "include"]:
        (folder / part).mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "nvcc", folder / "bin" / "nvcc")
    empty = folder / "empty.c"
    empty.write_text("int nothing_of_cuda;\n")
    for name in LINKED:
        library = folder / "lib" / f"lib{name}.so"
        subprocess.run(["cc", "-shared", "-fPIC", empty, "-o", library], check=True)
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CUDA_HOME": str(folder),
        "CUDA_PATH": str(folder),
        "CUDA_ROOT": str(folder),
        "CUDA_COMPUTE_CAP": "90",
        "CUDARC_CUDA_VERSION": "13000",
        "RUSTFLAGS": f"{os.environ.get('RUSTFLAGS', '')} -L {folder / 'lib'}".strip(),
    }


def with_names(folder, name, text, run):
    """The object of a text, whose kernels are known by their names."""
    source = folder / f"{name}.cpp"
    source.write_text(text)
    includes = [f"-I{folder / 'headers'}", f"-I{HERE}"]
    command = [*COMPILER, *includes, "-E", "-P", source]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = list(dict.fromkeys(KERNEL.findall(seen)))
    if not names:
        raise SystemExit(f"stand-in card: no kernel found in {name}")
    entries = "\n".join(f"    KERNEL_NAMED({kernel}, {run})," for kernel in names)
    source.write_text(
        f"{text}\nstatic const card::Kernel kernels[] = {{\n{entries}\n}};\n"
        f"static const int added = (card::add_kernels(kernels, {len(names)}), 0);\n"
    )
    made = folder / f"{name}.o"
    subprocess.run([*COMPILER, *includes, "-c", source, "-o", made], check=True)
    return made


def libraries(folder, candles):
    """The library with the driver and all kernels, under all names; gives its folder."""
    headers = folder / "headers"
    headers.mkdir(parents=True, exist_ok=True)
    for header in ["cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h", "cuda.h"]:
        (headers / header).write_text("#pragma once\n")
    objects = []
    for name in CANDLES:
        text = f'#include "language.h"\n#include "{candles / name}.cu"\n'
        objects.append(with_names(folder, name, text, "run_threads"))
    for name, run in [("reduce", "run_threads"), ("own", "run_blocks")]:
        objects.append(with_names(folder, name, f'#include "{HERE / name}.cpp"\n', run))
    for name in ["driver", "libraries"]:
        made = folder / f"{name}.o"
        subprocess.run([*COMPILER, "-c", HERE / f"{name}.cpp", "-o", made], check=True)
        objects.append(made)
    opened = folder / "opened"
    opened.mkdir(exist_ok=True)
    library = opened / OPENED[0]
    subprocess.run(["c++", "-shared", "-pthread", *objects, "-o", library], check=True)
    for name in OPENED[1:]:
        link = opened / name
        link.unlink(missing_ok=True)
        link.symlink_to(OPENED[0])
    return opened

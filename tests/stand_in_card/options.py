"""Every way to train, on the card that is not there and on the processor: the same losses."""

import json
import subprocess
import tempfile
from pathlib import Path

SONG = Path(__file__).resolve().parents[2] / "datasets" / "songs" / "greensleeves.flac"
TRAIN = ["train", SONG, "--model", "blocks", "--settings", "fast", "--epochs", "2", "--seed", "3"]
LAYERS = ["lstm:48,gru:48,simple-rnn:48", "lstm:64:norm:residual,lstm:64:norm:residual"]
WAYS = [
    [],
    *[["--layers", layers] for layers in LAYERS],
    *[["--precision", precision] for precision in ["tf32", "bf16"]],
    *[["--optimizer", rule] for rule in ["rmsprop-torch", "adamw", "sgd"]],
    *[["--loss", loss] for loss in ["mae", "huber", "spectral"]],
    *[["--dense-activation", activation] for activation in ["tanh", "relu", "gelu"]],
    ["--recompute-layers"],
    ["--recompute-layers", "--recompute-steps", "12"],
    ["--truncate", "16"],
    ["--dropout", "0.2"],
    ["--scheduled-sampling", "0.5"],
    ["--validation", "0.2", "--patience", "1"],
    ["--recurrent-input"],
    ["--schedule", "cosine"],
    ["--batch", "1"],
    ["--learning-rate", "0.01"],
    ["--checkpoint-seconds", "0.01"],
]
# A product in sixteen bits is rounded once more on a card.
NEAR, NEAR_BF16 = 1e-5, 1e-4


def losses(program, way, device, folder, environment):
    out = folder / f"{device}.safetensors"
    command = [program, *TRAIN, *way, "--device", device, "--json", "--restart", "-o", out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip()[-300:]
    return json.loads(done.stdout)["losses"], ""


def compare(program, environment):
    """Whether any differ, or cannot be had."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            there, problem = losses(program, way, "cuda", Path(folder), environment)
            here, problem_here = losses(program, way, "cpu", Path(folder), environment)
            name = " ".join(way) or "as it is"
            if there is None or here is None:
                print(f"FAILED {name}: {problem or problem_here}", flush=True)
                failed = True
                continue
            apart = max(abs(a / b - 1) for a, b in zip(there, here, strict=True))
            is_near = apart <= (NEAR_BF16 if "bf16" in way else NEAR)
            print(f"{'ok' if is_near else 'FAILED'} {name}: {apart:.1e} apart", flush=True)
            failed |= not is_near
    return failed

"""Loads weight files written by us into PyTorch, and writes PyTorch's for us to load.

    python exchange_weights.py FOLDER

FOLDER holds KIND.safetensors and network.safetensors, written by us, and inputs.safetensors with
what to feed them ("modules", "network"). Left there: KIND.torch.safetensors with other weights
drawn by PyTorch, and outputs.safetensors with the outputs of KIND, of KIND.torch and of network.

Ends with status 77 if torch or safetensors is not installed.
"""

import sys
from pathlib import Path

try:
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).parent.parent / "vectors"))
from make_network import Network
from make_recurrent import KINDS, SHAPES


def main():
    folder = Path(sys.argv[1])
    inputs = load_file(folder / "inputs.safetensors")
    sizes = SHAPES["three-layers"]
    outputs = {}
    torch.manual_seed(7)
    for kind, (module, options) in KINDS.items():
        for name in (kind, f"{kind}.torch"):
            layers = module(
                sizes["inputs"],
                sizes["hidden"],
                num_layers=sizes["layers"],
                batch_first=True,
                **options,
            )
            if name == kind:
                layers.load_state_dict(load_file(folder / f"{kind}.safetensors"))
            else:
                save_file(layers.state_dict(), folder / f"{name}.safetensors")
            outputs[name] = layers(inputs["modules"])[0]
    network = Network()
    left = network.load_state_dict(load_file(folder / "network.safetensors"), strict=False)
    assert not left.missing_keys, left
    assert sorted(left.unexpected_keys) == ["normaliser.deviation", "normaliser.mean"], left
    outputs["network"] = network(inputs["network"])
    tensors = {name: value.detach().contiguous() for name, value in outputs.items()}
    save_file(tensors, folder / "outputs.safetensors")


main()

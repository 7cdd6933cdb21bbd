"""Writes a checkpoint in the published layout: python -m stages.export OUT --parts FOLDER --tokenizer FILE

Names and shapes are the published ones (an expert's matrices are tensors of their own), all weights BF16.
"""
import argparse
import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from model import tokenizer as tokens
from model.models import CONFIG
from stages.training import weights

MODEL = Path(__file__).parents[1] / "model"
# Speech is sampled by default. The code predictor's published temperature of 1 is too warm for so small a model; no file can
# change it, but its logits can be made sharper.
SHARPER = 4.0
GENERATION = {
    "talker_max_new_tokens": 256,
    "talker_repetition_penalty": 1.0,
    "talker_temperature": 0.3,
    "talker_top_k": 20,
    "talker_top_p": 1.0,
}


def published(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Stacked experts as one tensor for each matrix; everything else as it is."""
    found = re.fullmatch(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)", name)
    if not found:
        return {name: tensor}
    parts: dict[str, Tensor] = {}
    for i, expert in enumerate(tensor):
        if found[2] == "down_proj":
            parts[f"{found[1]}.{i}.down_proj.weight"] = expert
        else:
            gate, up = expert.chunk(2)
            parts[f"{found[1]}.{i}.gate_proj.weight"], parts[f"{found[1]}.{i}.up_proj.weight"] = gate, up
    return parts


def tensors(parts: Path) -> dict[str, Tensor]:
    named = {f"thinker.{name}": tensor for name, tensor in weights(parts, "thinker").items()}
    for name, tensor in weights(parts, "talker").items():
        named[f"talker.{name}"] = tensor * SHARPER if name.startswith("code_predictor.lm_head") else tensor
    for name, tensor in weights(parts, "codec").items():
        if name.startswith("code2wav."):
            named[name] = tensor
    return {key: part for name, tensor in named.items() for key, part in published(name, tensor).items()}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tokenizer(out: Path, file: Path) -> None:
    """tokenizer.json, and the same as vocab.json, merges.txt and tokenizer_config.json."""
    shutil.copy(file, out / "tokenizer.json")
    model = json.loads(file.read_text())["model"]
    write_json(out / "vocab.json", model["vocab"])
    merges = (" ".join(merge) if isinstance(merge, list) else merge for merge in model["merges"])
    (out / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    write_json(out / "tokenizer_config.json", tokens.config(Tokenizer.from_file(str(file))))


def check_ids(file: Path) -> None:
    """The ids in config.json are those of the tokenizer."""
    known = Tokenizer.from_file(str(file))
    for key, text in tokens.CONFIG_IDS.items():
        for part in (CONFIG, CONFIG["thinker_config"], CONFIG["talker_config"]):
            if key in part and part[key] != known.token_to_id(text):
                raise SystemExit(f"config.json: {key} is {part[key]}, but {text} is {known.token_to_id(text)}")


def export(out: Path, parts: Path, file: Path) -> None:
    check_ids(file)
    out.mkdir(parents=True, exist_ok=True)
    write_tokenizer(out, file)
    for name in ("config.json", "chat_template.json", "preprocessor_config.json"):
        if (MODEL / name).exists():
            shutil.copy(MODEL / name, out / name)
    write_json(out / "generation_config.json", GENERATION)
    kept = {name: tensor.to(torch.bfloat16).contiguous().clone() for name, tensor in tensors(parts).items()}
    name = "model-00001-of-00001.safetensors"
    save_file(kept, out / name, metadata={"format": "pt"})
    size = sum(tensor.nbytes for tensor in kept.values())
    index = {"metadata": {"total_size": size}, "weight_map": {key: name for key in sorted(kept)}}
    write_json(out / "model.safetensors.index.json", index)
    print(f"{len(kept)} tensors, {sum(t.numel() for t in kept.values()):,} parameters, {size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--parts", type=Path, required=True, help="a folder with thinker, talker and codec")
    parser.add_argument("--tokenizer", type=Path, required=True)
    args = parser.parse_args()
    export(args.out, args.parts, args.tokenizer)

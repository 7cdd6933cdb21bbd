"""What the training stages share: their clock, their optimiser, and the files in which their work is kept."""
import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Largest file of weights: small enough for any way of carrying them to another machine.
MOST_BYTES = 14_000_000


class Clock:
    """How much of a stage's training has passed: of its seconds, which begin with the stage, or of its steps if given."""

    def __init__(self, seconds: float, steps: int | None = None):
        self.begun, self.seconds, self.steps, self.done = time.time(), seconds, steps, 0
        self.trained = self.begun

    @property
    def share(self) -> float:
        if self.steps:
            return self.done / self.steps
        return (time.time() - self.trained) / max(1.0, self.begun + self.seconds - self.trained)

    def ticks(self):
        """Counts steps until the time is over. All before the second step is preparation: in the first, code is compiled."""
        yield 0
        self.done, self.trained = 1, time.time()
        while self.share < 1:
            yield self.done
            self.done += 1

    def tells(self, every: int) -> bool:
        """Whether figures are to be said at this step. To take them waits for the device."""
        return self.done % every == 0

    def say(self, name: str, **figures: float | list) -> None:
        told = (f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items())
        print(f"{name} {self.done} after {time.time() - self.begun:.0f} s:", ", ".join(told), flush=True)


class Trainer:
    """AdamW with a warm-up and a cosine over the clock. Vectors do not decay, and those in `fixed` stay as they are."""

    def __init__(
        self, modules: list[nn.Module], clock: Clock, peak: float, decay: float, betas: tuple[float, float], fixed: tuple = ()
    ):
        fixed_ids = {id(p) for p in fixed}
        self.parameters = [p for module in modules for p in module.parameters() if id(p) not in fixed_ids]
        groups = [
            {"params": [p for p in self.parameters if p.dim() >= 2], "weight_decay": decay},
            {"params": [p for p in self.parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        # The rate is a tensor and the count of steps on the device, so that a step can be part of a graph.
        self.rate = torch.tensor(peak, device=DEVICE)
        on_gpu = DEVICE == "cuda"
        self.adam = torch.optim.AdamW(groups, self.rate, betas=betas, fused=on_gpu, capturable=on_gpu)
        self.clock, self.peak = clock, peak

    def schedule(self) -> None:
        """Sets the rate for the step that comes."""
        warm = min(1.0, (self.clock.done + 1) / 300)
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.clock.share))
        self.rate.fill_(self.peak * warm * cosine + 0.01 * self.peak)

    def step(self, loss: Tensor, most: float = 1.0) -> None:
        """One step down `loss`, with gradients of at most this norm."""
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, most)
        self.adam.step()


def compiled(function: Callable) -> Callable:
    """The function as fused kernels where there is a GPU; all its shapes are the same each time."""
    return torch.compile(function, dynamic=False) if DEVICE == "cuda" else function


class Captured:
    """A step as one CUDA graph for each set of its arguments, so that the GPU does not wait for Python; else just the step.

    Whatever decides what is computed must be an argument, and what a step gives is overwritten by the next.
    """

    EAGER = 3  # steps in which code is compiled and memory found

    def __init__(self, step: Callable[..., dict[str, Tensor]]):
        self.step, self.graphs, self.seen = step, {}, Counter()

    def __call__(self, *key: bool) -> dict[str, Tensor]:
        if DEVICE != "cuda":
            return self.step(*key)
        self.seen[key] += 1
        if self.seen[key] <= self.EAGER:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                result = self.step(*key)
            torch.cuda.current_stream().wait_stream(side)
            return result
        if key not in self.graphs:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.graphs[key] = graph, self.step(*key)
        graph, result = self.graphs[key]
        graph.replay()
        return result


def autocast() -> torch.autocast:
    """BF16 arithmetic where there is a GPU."""
    return torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda")


def save(module: nn.Module, folder: Path, name: str) -> None:
    """Writes weights as BF16 into NAME.0.safetensors and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in module.state_dict().items():
        kept = tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
        size += kept.nbytes
        if size > MOST_BYTES:
            files.append({})
            size = kept.nbytes
        files[-1][key] = kept.cpu().contiguous().clone()
    for i, tensors in enumerate(files):
        save_file(tensors, folder / f"{name}.{i}.new")
    for old in folder.glob(f"{name}.*.safetensors"):
        old.unlink()
    for i in range(len(files)):
        (folder / f"{name}.{i}.new").rename(folder / f"{name}.{i}.safetensors")


def weights(folder: Path, name: str) -> dict[str, Tensor]:
    """What `save` wrote, in float32."""
    files = sorted(folder.glob(f"{name}.*.safetensors"))
    if not files:
        raise SystemExit(f"{folder} holds no {name}: run the stage that trains it first")
    tensors = {key: tensor for file in files for key, tensor in load_file(file).items()}
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}


def load(module: nn.Module, folder: Path, name: str) -> None:
    module.load_state_dict(weights(folder, name))


def read_json(path: Path) -> list[dict]:
    return json.loads(path.read_text())


def arguments(description: str | None) -> argparse.ArgumentParser:
    """What every stage is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help="folder of the sounds")
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--steps", type=int, help="so many steps instead of a time")
    parser.add_argument("--from", dest="begin", type=Path, help="a folder with weights of this stage to go on from")
    return parser

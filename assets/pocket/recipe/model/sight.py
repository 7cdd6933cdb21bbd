"""What happens to a picture between the world and the model, for batches on any device."""
import torch
import torch.nn.functional as F
from torch import Tensor

# Share of the pictures that are moved, and how far: by this part of their side, by this angle, to this part of their size.
MOVED, SHIFT, TURN, SIZE = 0.75, 0.08, 0.12, 0.12


def moved(pictures: Tensor) -> Tensor:
    """Pictures [n, side, side, 3] of 0 to 255, each a little elsewhere, turned, larger or smaller, and in another light."""
    count, device = len(pictures), pictures.device
    between = lambda low, high, *shape: low + (high - low) * torch.rand(count, *shape, device=device)
    some = (torch.rand(count, device=device) < MOVED).float()
    angle, size = some * between(-TURN, TURN), 1 + some * between(-SIZE, SIZE)
    turned = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), dim=1).view(-1, 2, 2) * size[:, None, None]
    shift = some[:, None, None] * 2 * between(-SHIFT, SHIFT, 2, 1)
    grid = F.affine_grid(torch.cat((turned, shift), dim=2), [count, 3, *pictures.shape[1:3]], align_corners=False)
    x = F.grid_sample(pictures.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False)
    x = x * between(0.85, 1.15, 1, 1, 1) * between(0.94, 1.06, 3, 1, 1) + between(-10, 10, 1, 1, 1)
    return (x + between(0, 6, 1, 1, 1) * torch.randn_like(x)).clamp(0, 255).permute(0, 2, 3, 1)

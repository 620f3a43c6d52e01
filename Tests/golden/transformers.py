"""Numbers of vision transformers for NetworksTests: python3 transformers.py, with torch, timm and safetensors.

Weights and images come from the formula of networks.py; features are timm's, in double precision. What position embeddings become at another size than that
of training is said here as facebookresearch/dino and dinov2, transformers and timm say it.
"""
import math
import pathlib

import timm
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from timm.layers import resample_abs_pos_embed

from networks import tensor


def fill(network):
    for name, value in network.state_dict().items():
        name = {"reg_token": "register_tokens"}.get(name, name)
        u = tensor(name, *value.shape)
        if value.dim() == 4:
            u = u * math.sqrt(3 / math.prod(value.shape[1:]))
        elif value.dim() == 2:
            u = u * math.sqrt(3 / value.shape[1])
        elif value.dim() == 3:
            u = 0.5 * u
        elif name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "gamma")):
            u = 1 + 0.2 * u
        else:
            u = 0.1 * u
        value.copy_(u)


def resized(positions, side, h, w, how):
    """(1, 1 + side², C) to (1, 1 + h·w, C)."""
    if (h, w) == (side, side):
        return positions
    if how == "antialiased":
        return resample_abs_pos_embed(positions, [h, w], num_prefix_tokens=1)
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if how == "offset":
        # dino's interpolate_pos_encoding: 0.1 so that rounding does not lose a place.
        grid = F.interpolate(grid, scale_factor=((h + 0.1) / math.sqrt(side * side), (w + 0.1) / math.sqrt(side * side)), mode="bicubic")
    else:
        grid = F.interpolate(grid, size=(h, w), mode="bicubic", align_corners=False)
    assert grid.shape[2:] == (h, w)
    return torch.cat([positions[:, :1], grid.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)


def main():
    out = {}
    for name, model, side, options in [
        ("vit-small-16", "vit_small_patch16_224", 14, {}),
        ("vit-small-16-moco-v3", "vit_small_patch16_224", 14, {"num_heads": 12}),
        ("vit-base-8", "vit_base_patch8_224", 28, {}),
        ("vit-large-14", "vit_large_patch14_224", 16, {}),
        ("dinov2-small", "vit_small_patch14_dinov2", 37, {}),
        ("dinov2-small-registers", "vit_small_patch14_reg4_dinov2", 37, {}),
    ]:
        for N, H, W, how in {
            "vit-small-16": [(2, 224, 224, "plain"), (3, 64, 96, "offset")], "vit-small-16-moco-v3": [(2, 112, 112, "plain")],
            "vit-base-8": [(2, 40, 56, "antialiased")], "vit-large-14": [(1, 42, 28, "plain")],
            "dinov2-small": [(2, 98, 70, "offset"), (2, 112, 112, "plain")], "dinov2-small-registers": [(2, 84, 126, "antialiased")],
        }[name]:
            patch = int(model.split("patch")[1].split("_")[0])
            made = timm.create_model(model, img_size=side * patch, num_classes=0, **options).double().eval()
            with torch.no_grad():
                fill(made)
                positions = 0.5 * tensor("pos_embed", 1, 1 + side * side, made.embed_dim).double()
                positions = resized(positions, side, H // patch, W // patch, how)
                if made.no_embed_class:
                    made.cls_token += positions[:, :1]
                    positions = positions[:, 1:]
                made.pos_embed = torch.nn.Parameter(positions)
                made.patch_embed.img_size, made.patch_embed.grid_size, made.patch_embed.strict_img_size = (H, W), (H // patch, W // patch), False
                x = tensor("pictures", N, H, W, 3).permute(0, 3, 1, 2).double()
                out[f"{name}.{N}.{H}.{W}.{how}"] = made.forward_features(x)[:, 0].contiguous().numpy()
    save_file(out, pathlib.Path(__file__).with_name("transformers.safetensors"))


if __name__ == "__main__":
    main()

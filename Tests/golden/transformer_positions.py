"""Position embeddings at other sizes, and vision transformers without one of the class token, for LayersTests and NetworksTests: python3 transformer_positions.py, with torch, timm
and safetensors.

Grids grow and shrink as `torch.nn.functional.interpolate` has it, in double precision, in the three ways that facebookresearch/dino and dinov2, transformers and timm call it. Of every
transformer the number of parameters, as timm has it.
"""
import math
import pathlib

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from networks import tensor
from transformers import fill

WAYS = ("plain", "offset", "antialiased")


def resized(grid, h, w, how):
    """(1, C, G, G) to (1, C, h, w)."""
    if how == "offset":
        grid = F.interpolate(grid, scale_factor=((h + 0.1) / grid.shape[2], (w + 0.1) / grid.shape[3]), mode="bicubic")
        assert grid.shape[2:] == (h, w)
        return grid
    return F.interpolate(grid, size=(h, w), mode="bicubic", antialias=how == "antialiased", align_corners=False)


def transformer(model, N, H, W, side, has_class, how, **options):
    """The class tokens of `model`, whose position embeddings are of side² patches and, perhaps, of the class token."""
    patch = int(model.split("patch")[1].split("_")[0])
    h, w = H // patch, W // patch
    made = timm.create_model(model, img_size=(H, W), num_classes=0, no_embed_class=True, **options).double().eval()
    with torch.no_grad():
        fill(made)
        positions = 0.5 * tensor("pos_embed", 1, side * side + has_class, made.embed_dim).double()
        if has_class:
            made.cls_token += positions[:, :1]
        grid = positions[:, has_class:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        made.pos_embed = torch.nn.Parameter(resized(grid, h, w, how).permute(0, 2, 3, 1).reshape(1, h * w, -1))
        x = tensor("pictures", N, H, W, 3).permute(0, 3, 1, 2).double()
        return made.forward_features(x)[:, 0].contiguous().numpy()


def main():
    out = {}
    grid = tensor("grid", 1, 5, 5, 3).permute(0, 3, 1, 2).double()
    for how in WAYS:
        # Larger in both, in one, much larger, smaller, one line.
        for h, w in [(6, 7), (9, 3), (17, 12), (2, 4), (1, 11), (5, 8)]:
            out[f"grid.{h}.{w}.{how}"] = resized(grid, h, w, how).permute(0, 2, 3, 1).contiguous().numpy()
        # Larger than they were trained at; and of one side larger, of the other smaller.
        for name, model, N, H, W, side, has_class, options in [
            ("vit-small-16", "vit_small_patch16_224", 2, 80, 112, 3, True, {}), ("vit-small-16", "vit_small_patch16_224", 1, 80, 48, 4, False, {}),
            ("dinov2-small-registers", "vit_small_patch14_reg4_dinov2", 2, 70, 98, 4, False, {}), ("dinov2-small", "vit_small_patch14_dinov2", 2, 84, 70, 5, False, {}),
        ]:
            key = f"{name}.{N}.{H}.{W}.{side}.{'class' if has_class else 'patches'}.{how}"
            out[key] = transformer(model, N, H, W, side, has_class, how, **options)
            print(key, flush=True)
    sizes = {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
    with torch.device("meta"):
        for size, (width, depth, heads) in sizes.items():
            for patch in (8, 14, 16):
                made = timm.models.VisionTransformer(img_size=224, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=0)
                out[f"vit-{size}-{patch}.parameters"] = np.array(sum(value.numel() for value in made.parameters()))
            for suffix, registers in (("", 0), ("-registers", 4)):
                made = timm.models.VisionTransformer(
                    img_size=518, patch_size=14, embed_dim=width, depth=depth, num_heads=heads, init_values=1e-5, reg_tokens=registers, num_classes=0)
                # timm has positions for all tokens before the patches, dinov2 for that of the class alone.
                count = sum(value.numel() for value in made.parameters()) - (made.pos_embed.shape[1] - 1370) * width
                out[f"dinov2-{size}{suffix}.parameters"] = np.array(count)
    save_file(out, pathlib.Path(__file__).with_name("transformer-positions.safetensors"))
    print(sum(a.nbytes for a in out.values()), "bytes")


if __name__ == "__main__":
    main()

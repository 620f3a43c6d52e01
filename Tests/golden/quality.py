"""Qualities of features without labels, in double precision with PyTorch, for EvaluationTests: python3 Tests/golden/quality.py (writes quality.safetensors beside itself)

Uniformity and alignment are the functions of Wang and Isola's code (ssnl/align_uniform), but for pairs of one image, which are left out of the first.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from networks import tensor

N, D, E = 61, 19, 11
images = torch.cat([torch.arange(40), torch.arange(21)])  # The first 21 have two samples.
base = tensor("quality.base", 40, D).double()
x = (base[images] + 0.3 * tensor("quality.noise", N, D).double() + 0.4).float()
teacher = (torch.cat([base, tensor("quality.more", 40, 3).double()], 1)[images][:, :E] + 0.2 * tensor("quality.teacher", N, E).double()).float()
u, t = F.normalize(x.double()), F.normalize(teacher.double())

other = images[:, None] != images[None]
upper = torch.triu(torch.ones(N, N), 1).bool()
uniformity = torch.cdist(u, u).pow(2)[upper & other].mul(-2).exp().mean().log()
alignment = (u[40:] - u[:21]).norm(dim=1).pow(2).mean()
deviation = u.std(0, unbiased=False).mean() * D**0.5
centred = x.double() - x.double().mean(0)
eigenvalues = torch.linalg.eigvalsh(centred.T @ centred)
rank = eigenvalues.sum() ** 2 / eigenvalues.pow(2).sum()


def nearest(rows, k):
    similarity = rows @ rows.T
    similarity.fill_diagonal_(-2)
    return similarity.topk(k, dim=1).indices


agreement = [sum(len(set(a.tolist()) & set(b.tolist())) for a, b in zip(nearest(u, k), nearest(t, k))) / (N * k) for k in (1, 5, 20)]
save_file({
    "x": x, "teacher": teacher, "images": images, "uniformity": uniformity.reshape(1), "alignment": alignment.reshape(1), "deviation": deviation.reshape(1),
    "rank": rank.reshape(1), "agreement": torch.tensor(agreement, dtype=torch.float64)}, pathlib.Path(__file__).with_suffix(".safetensors"))
print(uniformity, alignment, deviation, rank, agreement)

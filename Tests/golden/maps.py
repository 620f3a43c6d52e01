"""Principal components and t-SNE of scikit-learn, for EvaluationTests: python3 Tests/golden/maps.py (writes maps.safetensors beside itself)"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from networks import formula

N, D = 180, 24
centres = formula("maps.centres", 9 * D).reshape(9, D)
x = (centres[np.arange(N) % 9] + 0.45 * formula("maps.noise", N * D).reshape(N, D) * np.linspace(0.5, 1.5, D)).astype("f4")
pca = PCA(3, svd_solver="full").fit(x.astype("f8"))
signs = np.sign(pca.components_[np.arange(3), np.abs(pca.components_).argmax(1)])
tsne = TSNE(method="exact", init="pca", perplexity=30, max_iter=1000, random_state=0)
y = tsne.fit_transform(x.astype("f8"))
save_file({
    "x": x, "coordinates": pca.transform(x.astype("f8")) * signs, "variances": pca.explained_variance_ * (N - 1) / N, "total": np.array([x.astype("f8").var(0).sum()]),
    "divergence": np.array([tsne.kl_divergence_]), "trustworthiness": np.array([trustworthiness(x, y, n_neighbors=10)])}, pathlib.Path(__file__).with_suffix(".safetensors"))
print(tsne.kl_divergence_, trustworthiness(x, y, n_neighbors=10), pca.explained_variance_)

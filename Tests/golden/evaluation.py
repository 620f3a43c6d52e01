"""Makes evaluation.safetensors: what scikit-learn and PyTorch say about small sets of features.

    python3 Tests/golden/evaluation.py          (numpy, safetensors, scikit-learn, torch)

Neighbours and votes come from scikit-learn's brute-force search, the optimum of the logistic regression from its Newton
solver in double precision, and the course of SGD from torch.nn.Linear and torch.optim.SGD.
"""

import pathlib

import numpy
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import StandardScaler

random = numpy.random.default_rng(7)
tensors = {}


def clusters(samples, dimension, classes, spread):
    labels = random.integers(0, classes, samples)
    return (centres[labels] * spread + random.normal(size=(samples, dimension))).astype("f4"), labels.astype("i4")


# Nearest neighbours: cosine, lists of k, both votes.
centres = random.normal(size=(9, 19))
train, train_labels = clusters(331, 19, 9, 0.6)
test, test_labels = clusters(97, 19, 9, 0.6)
unit = train / numpy.linalg.norm(train, axis=1, keepdims=True)
queries = test / numpy.linalg.norm(test, axis=1, keepdims=True)
distances, neighbours = NearestNeighbors(n_neighbors=40, algorithm="brute", metric="cosine").fit(unit.astype("f8")).kneighbors(queries.astype("f8"))
tensors |= {"knn.train": train, "knn.train_labels": train_labels, "knn.test": test, "knn.test_labels": test_labels}
tensors |= {"knn.neighbours": neighbours.astype("i4"), "knn.similarities": (1 - distances).astype("f4")}

ks = [1, 3, 10, 40]
temperatures = [0.07, 0.5]
weighted = numpy.zeros((len(ks), len(temperatures), 2), "i4")
majority = numpy.zeros((len(ks), 2), "i4")
for i, k in enumerate(ks):
    for j, temperature in enumerate(temperatures):
        weigh = lambda distance: numpy.exp((1 - distance) / temperature)
        votes = KNeighborsClassifier(k, weights=weigh, algorithm="brute", metric="cosine").fit(unit.astype("f8"), train_labels)
        share = votes.predict_proba(queries.astype("f8"))
        own = share[numpy.arange(len(test)), test_labels]
        rank = (share > own[:, None]).sum(1)
        weighted[i, j] = [((rank == 0) & (own > 0)).sum(), ((rank < 5) & (own > 0)).sum()]
    # scikit-learn gives ties to the lower class; here they go to the class whose nearest neighbour is nearer.
    for query in range(len(test)):
        found = train_labels[neighbours[query, :k]]
        order = sorted(set(found), key=lambda c: (-(found == c).sum(), list(found).index(c)))
        majority[i] += [order[0] == test_labels[query], test_labels[query] in order[:5]]
tensors |= {"knn.k": numpy.array(ks, "i4"), "knn.temperatures": numpy.array(temperatures), "knn.weighted": weighted, "knn.majority": majority}

# Logistic regression: 1/N Σ cross entropy + λ/2 ‖W‖², biases free; scikit-learn's C is 1/(λN).
centres = random.normal(size=(6, 13))
train, train_labels = clusters(517, 13, 6, 0.45)
test, test_labels = clusters(203, 13, 6, 0.45)
train *= numpy.linspace(0.1, 20, 13, dtype="f4")
test *= numpy.linspace(0.1, 20, 13, dtype="f4")
train[:, 4] = 3  # a dimension that says nothing
test[:, 4] = 3
scaler = StandardScaler().fit(train.astype("f8"))
x, t = scaler.transform(train.astype("f8")), scaler.transform(test.astype("f8"))
penalties = [1.0, 1e-2, 1e-4]
tensors |= {"convex.train": train, "convex.train_labels": train_labels, "convex.test": test, "convex.test_labels": test_labels}
tensors |= {"convex.scaled_test": t.astype("f4"), "convex.penalties": numpy.array(penalties)}
for i, penalty in enumerate(penalties):
    fit = LogisticRegression(C=1 / (penalty * len(x)), solver="newton-cg", tol=1e-12, max_iter=10000).fit(x, train_labels)
    logits = x @ fit.coef_.T + fit.intercept_
    losses = numpy.log(numpy.exp(logits).sum(1)) - logits[numpy.arange(len(x)), train_labels]
    objective = losses.mean() + penalty / 2 * (fit.coef_**2).sum()
    tensors |= {f"convex.{i}.weights": fit.coef_.astype("f4"), f"convex.{i}.biases": fit.intercept_.astype("f4")}
    tensors |= {f"convex.{i}.objective": numpy.array([objective]), f"convex.{i}.correct": numpy.array([(fit.predict(t) == test_labels).sum()], "i4")}

# SGD: PyTorch's course from given weights in a given order; the last batch of an epoch is smaller.
torch.manual_seed(3)
centres = random.normal(size=(5, 11))
train, train_labels = clusters(150, 11, 5, 0.5)
epochs, batch = 6, 32
orders = numpy.stack([random.permutation(len(train)) for _ in range(epochs)])
layer = torch.nn.Linear(11, 5)
torch.nn.init.normal_(layer.weight, 0, 0.01)
torch.nn.init.zeros_(layer.bias)
tensors |= {"sgd.train": train, "sgd.train_labels": train_labels, "sgd.orders": orders.astype("i4"), "sgd.start": layer.weight.detach().numpy().copy()}
optimizer = torch.optim.SGD(layer.parameters(), 4 * batch / 256, momentum=0.9, weight_decay=1e-3)
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5], 0.1)
losses = []
for epoch in range(epochs):
    total = 0.0
    for start in range(0, len(train), batch):
        chosen = orders[epoch, start : start + batch]
        loss = torch.nn.functional.cross_entropy(layer(torch.from_numpy(train[chosen])), torch.from_numpy(train_labels[chosen]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
    losses.append(total / len(train))
    schedule.step()
tensors |= {"sgd.losses": numpy.array(losses), "sgd.weights": layer.weight.detach().numpy(), "sgd.biases": layer.bias.detach().numpy()}

save_file({name: numpy.ascontiguousarray(value) for name, value in tensors.items()}, pathlib.Path(__file__).with_suffix(".safetensors"))

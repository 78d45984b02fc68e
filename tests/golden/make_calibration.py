"""Golden vectors of calibration: fits of scipy and scikit-learn to the predictions of three simulated networks.
See README.md.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

HERE = pathlib.Path(__file__).parent
MEMBERS, EXAMPLES, CLASSES = 3, 120, 4
PENALTIES = (0.5, 10.0)


def predictions():
    """Three networks: one accurate and overconfident, one fair and underconfident, one that often confuses the
    last class with the first."""
    random = np.random.default_rng(5)
    labels = random.integers(0, CLASSES, EXAMPLES)
    truth = np.eye(CLASSES)[labels]
    confused = truth.copy()
    confused[labels == CLASSES - 1] = np.eye(CLASSES)[0]
    noise = lambda: random.normal(size=(EXAMPLES, CLASSES))
    logits = [3.0 * (1.6 * truth + noise()), 0.4 * (1.2 * truth + noise()), 1.5 * confused + noise()]
    # In single precision, as in Rust.
    return labels, np.array([log_softmax(l, axis=1) for l in logits]).round(4).astype(np.float32)


def loss(logits, labels):
    return -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()


def on_simplex(objective):
    start = np.full(MEMBERS, 1 / MEMBERS)
    found = minimize(objective, start, method="SLSQP", bounds=[(0, 1)] * MEMBERS,
                     constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
                     options={"ftol": 1e-14, "maxiter": 1000})
    assert found.success
    return found.x


def stacking(features, labels):
    found = []
    for penalty in PENALTIES:
        model = LogisticRegression(C=1 / penalty, solver="lbfgs", tol=1e-12, max_iter=100000)
        model.fit(features, labels)
        found.append({"penalty": penalty, "product_prior": False, "weights": model.coef_.tolist(),
                      "biases": model.intercept_.tolist()})
    centre = np.tile(np.eye(CLASSES) / MEMBERS, MEMBERS)

    def objective(flat, penalty):
        weights, biases = flat[:-CLASSES].reshape(CLASSES, -1), flat[-CLASSES:]
        logits = features @ weights.T + biases
        off = softmax(logits, axis=1) - np.eye(CLASSES)[labels]
        gradient = np.concatenate([(off.T @ features + penalty * (weights - centre)).ravel(), off.sum(0)])
        value = loss(logits, labels) * len(labels) + penalty / 2 * ((weights - centre) ** 2).sum()
        return value, gradient

    for penalty in PENALTIES:
        result = minimize(objective, np.concatenate([centre.ravel(), np.zeros(CLASSES)]), args=(penalty,),
                          jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 100000})
        found.append({"penalty": penalty, "product_prior": True,
                      "weights": result.x[:-CLASSES].reshape(CLASSES, -1).tolist(),
                      "biases": result.x[-CLASSES:].tolist()})
    return found


def main():
    labels, members = predictions()
    wide = members.astype(np.float64)
    temperatures, losses = [], []
    for member in wide:
        found = minimize_scalar(lambda t: loss(member / t, labels), bounds=(0.05, 20), method="bounded",
                                options={"xatol": 1e-9})
        temperatures.append(found.x)
        losses.append(found.fun)
    normal = log_softmax(wide, axis=2)
    chosen = np.exp(normal[:, np.arange(EXAMPLES), labels])
    weights = np.array([1, 2, 0.5]) / 3.5
    golden = {
        "made_with": {m.__name__: m.__version__ for m in (scipy, sklearn, np)},
        "classes": CLASSES,
        "labels": labels.tolist(),
        "members": [[[round(float(v), 4) for v in row] for row in member] for member in members],
        "temperatures": temperatures,
        "losses": losses,
        "mixture": on_simplex(lambda w: -np.log(w @ chosen).mean()).tolist(),
        "product": on_simplex(lambda w: loss(np.tensordot(w, normal, 1), labels)).tolist(),
        "stacking": stacking(np.concatenate(list(normal), axis=1), labels),
        "combined": {
            "sum": np.tensordot(weights, np.exp(normal), 1)[:10].tolist(),
            "product": softmax(np.tensordot(weights, normal, 1), axis=1)[:10].tolist(),
        },
    }
    text = json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"').replace(']],[[', ']],\n[[')
    (HERE / "calibration.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

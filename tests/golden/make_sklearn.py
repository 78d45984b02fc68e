"""Golden vectors of preprocessing and metrics, from scikit-learn. See README.md.

The data are random, from fixed seeds, and stored with the results.
"""

import json
import pathlib
import re
import warnings

import numpy as np
import scipy
import sklearn
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

HERE = pathlib.Path(__file__).parent
BINS = 15


def digits(values, form=".10g"):
    values = np.asarray(values)
    if values.ndim > 1:
        return [digits(row, form) for row in values]
    return [int(v) if v == int(v) else float(format(v, form)) for v in values]


def single(values):
    """Values rounded to a few digits and to single precision, as Rust reads them. The arithmetic is in double
    precision, so that the results do not have rounding errors of their own."""
    return np.asarray([[float(format(v, ".6g")) for v in row] for row in values], dtype=np.float32).astype(np.float64)


def save(name, content):
    content = {"made_with": {m.__name__: m.__version__ for m in (sklearn, np, scipy)}} | content
    text = json.dumps(content, separators=(",", ":")).replace("],[", "],\n[").replace("},{", "},\n{")
    text = re.sub(r',("\w+":)', r",\n\1", text)
    (HERE / f"{name}.json").write_text(text + "\n")


def table(rng, labels):
    """A table with one column of each difficult kind."""
    n = len(labels)
    shift = labels[:, None] * np.array([0.8, 0.3, 0, 0.1, 0.8, 0.5, 1, 0, 0])
    x = rng.normal(size=(n, 9)) + shift
    x[:, 1] = 2.5e6 + 4e5 * x[:, 1]  # far from zero, like variances in Hz²
    x[:, 2] = 3.75  # constant
    x[:, 3] = np.where(rng.random(n) < 0.1, 200, 1) * x[:, 3]  # outliers
    x[:, 4] = x[:, 0]  # a duplicate: equal scores
    x[:, 5] *= 1e-4  # small
    x[:, 6] = np.round(x[:, 6])  # few distinct values
    x[:, 7] = 0.6 * x[:, 7] - 0.8 * x[:, 0]  # correlated
    x[:, 8] = np.where(rng.random(n) < 0.1, x[:, 8], -1.5)  # mostly one value: equal quartiles
    return single(x)


def components():
    rng = np.random.default_rng(20)
    names = np.array(["rock", "blues", "hiphop", "jazz"])
    label_names = names[rng.permutation(np.repeat(np.arange(4), [31, 17, 9, 3]))]
    encoder = LabelEncoder().fit(label_names)
    labels = encoder.transform(label_names)
    rows = table(rng, labels)
    new = table(rng, rng.integers(0, 4, 12))

    cases = []

    def case(steps, pipeline):
        pipeline.fit(rows, labels)
        fitted = {}
        last = pipeline[-1]
        if isinstance(last, SelectKBest):
            fitted = {"kept": last.get_support(indices=True).tolist()}
        if isinstance(last, PCA):
            fitted = {"components": digits(last.components_)}
        cases.append({"steps": steps, "fitted": fitted, "first": digits(pipeline.transform(rows[:12])),
                      "new": digits(pipeline.transform(new))})

    standard, minmax, robust = {"kind": "standard"}, {"kind": "min-max"}, {"kind": "robust"}
    case([standard], make_pipeline(StandardScaler()))
    case([minmax], make_pipeline(MinMaxScaler()))
    case([robust], make_pipeline(RobustScaler()))
    with warnings.catch_warnings():
        # One column is constant intentionally.
        warnings.simplefilter("ignore")
        for k in (1, 2, 5, 8):
            case([{"kind": "select", "k": k}], make_pipeline(SelectKBest(f_classif, k=k)))
        case([standard, {"kind": "select", "k": 5}, {"kind": "pca", "keep": 3}],
             make_pipeline(StandardScaler(), SelectKBest(f_classif, k=5), PCA(3)))
        scores = f_classif(rows, labels)[0]
    case([{"kind": "pca", "keep": 2}], make_pipeline(PCA(2)))
    case([standard, {"kind": "pca", "keep": 5}], make_pipeline(StandardScaler(), PCA(5)))
    for share in (0.5, 0.8, 0.95):
        case([standard, {"kind": "pca", "keep": share}], make_pipeline(StandardScaler(), PCA(share)))

    save("components", {
        "names": label_names.tolist(),
        "classes": encoder.classes_.tolist(),
        "labels": labels.tolist(),
        "weights": digits(compute_class_weight("balanced", classes=np.arange(4), y=labels)),
        # The constant column has no score.
        "f_scores": [None if np.isnan(s) else float(format(s, ".10g")) for s in scores],
        "rows": digits(rows),
        "new": digits(new),
        "cases": cases,
    })


def calibration(correct, confidence):
    """Guo et al. 2017, equation 3, with bins that exclude their lower and include their upper limit."""
    edges = np.linspace(0, 1, BINS + 1)
    bins, error = [], 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        n = int(inside.sum())
        accuracy, mean = (correct[inside].mean(), confidence[inside].mean()) if n else (0, 0)
        error += n / len(correct) * abs(accuracy - mean)
        bins.append([n, *digits([mean, accuracy])])
    return error, bins


def evaluated(name, truth, logits):
    k = logits.shape[1]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p = np.asarray(digits(p, ".6f")).astype(np.float32)
    predicted = p.argmax(axis=1)
    report = metrics.classification_report(truth, predicted, output_dict=True, zero_division=0)
    per_class = [report.get(str(c), {"precision": 0, "recall": 0, "f1-score": 0, "support": 0}) for c in range(k)]
    figures = ["precision", "recall", "f1-score"]
    # In double precision, except for the clipping in log_loss, which depends on the precision.
    wide = p.astype(np.float64)
    cut = np.clip(wide, np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps)
    loss = metrics.log_loss(truth, p, labels=range(k))
    exact = float(np.mean(-np.log(cut[np.arange(len(truth)), truth])))
    assert abs(loss - exact) < 1e-5
    error, bins = calibration(predicted == truth, wide.max(axis=1))
    with warnings.catch_warnings():
        # scikit-learn warns that with two classes the first three always include the label.
        warnings.simplefilter("ignore")
        scores = wide[:, 1] if k == 2 else wide
        top3 = metrics.top_k_accuracy_score(truth, scores, k=3, labels=range(k))
    return {
        "name": name,
        "truth": truth.tolist(),
        "probabilities": digits(wide, ".6f"),
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "top3": float(top3),
        "per_class": [digits([c[f] for f in figures] + [c["support"]]) for c in per_class],
        "macro": digits([report["macro avg"][f] for f in figures]),
        "weighted": digits([report["weighted avg"][f] for f in figures]),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=range(k)).tolist(),
        "log_loss": exact,
        "brier": float(metrics.brier_score_loss(truth, wide / wide.sum(axis=1, keepdims=True), labels=list(range(k)),
                                                scale_by_half=False)),
        "calibration_error": float(error),
        "bins": bins,
    }


def scores():
    rng = np.random.default_rng(21)
    # Ten classes: 7 has no example but is predicted, 8 has no example and is never predicted, 9 has examples but
    # is never predicted.
    truth = rng.choice(10, 150, p=[0.25, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0, 0, 0.1])
    logits = 1.3 * rng.normal(size=(150, 10)) + 2 * np.eye(10)[truth]
    logits[:, 8] -= 9
    logits[:, 9] -= 7
    logits[:5] *= 6  # very confident and partly wrong: probabilities of 0 and 1
    ten = evaluated("ten classes, three of them odd", truth, logits)
    truth = rng.choice(2, 40, p=[0.3, 0.7])
    logits = rng.normal(size=(40, 2)) + np.eye(2)[truth]
    return [ten, evaluated("two classes", truth, logits)]


if __name__ == "__main__":
    components()
    save("scores", {"cases": scores()})

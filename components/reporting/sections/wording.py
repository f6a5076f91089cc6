"""Metric names as a reader knows them."""

METRICS = {
    "auc": ("AUC", "chance that a positive row scores above a negative one"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "accuracy": ("Accuracy", "share of rows that are right"),
    "balanced_accuracy": ("Balanced accuracy", "mean of the recalls of both classes"),
    "precision": ("Precision", "of the rows predicted positive, the share that is"),
    "recall": ("Recall", "of the positive rows, the share that is found"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "log_loss": ("Log loss", "mean surprise at the true class, in nats; less is better"),
    "brier": ("Brier score", "mean squared error of the probability; less is better"),
    "macro_f1": ("Macro F1", "mean F1 over the classes"),
    "auc_ovr": ("AUC, one vs rest", "mean over the classes of one class against the others"),
    "mae": ("Mean absolute error", "in units of the label; less is better"),
    "rmse": ("Root mean squared error", "in units of the label; less is better"),
    "r2": ("R²", "share of the label's variance that is explained"),
    "median_ae": ("Median absolute error", "half of the rows are closer; less is better"),
    "mape": ("Mean absolute share of error", "error as a share of the label; less is better"),
}


def metric_label(name: str) -> str:
    """Name for a heading."""
    if name.startswith("top_"):
        return f"Top-{name.split('_')[1]} accuracy"
    return METRICS.get(name, (name.replace("_", " "), ""))[0]


def metric_meaning(name: str) -> str:
    """One clause on what the metric says."""
    if name.startswith("top_"):
        return "share of rows whose class is among the most probable ones"
    return METRICS.get(name, ("", ""))[1]

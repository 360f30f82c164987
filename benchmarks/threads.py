"""Training with one BLAS thread and with the default number of BLAS threads.

The BLAS library decides which products are large enough to be split between threads.
This part shows where that pays off.
"""

from threadpoolctl import ThreadpoolController

from benchmarks._peers import our_classifier, without_convergence_warnings
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._tasks import Task, make_data
from benchmarks._timing import OURS, compare, interleaved, seconds

TASKS = [
    Task(150, (4, 10, 3), 32, n_epochs=200),
    Task(569, (30, 50, 2), 32, n_epochs=60),
    Task(1797, (64, 100, 10), 32, n_epochs=20),
    Task(1797, (64, 100, 10), 200, n_epochs=60),
    Task(2000, (30, 128, 128, 5), 32, n_epochs=15),
    Task(2000, (30, 256, 5), 128, n_epochs=40),
    Task(5000, (54, 256, 128, 7), 64, n_epochs=6),
    Task(10_000, (54, 256, 128, 7), 512, n_epochs=6),
    Task(10_000, (784, 100, 10), 200, n_epochs=5),
    Task(10_000, (784, 512, 256, 10), 256, n_epochs=2),
]

ONE_THREAD = "one thread"


def measure(settings):
    """Return the records for all tasks with both numbers of threads."""
    controller = ThreadpoolController()
    records = []
    for task in TASKS:
        if settings.quick:
            task = task._replace(n_samples=task.batch_size, n_epochs=1)
        X, y = make_data(task)
        classifier = our_classifier(
            task.hidden_layer_sizes, batch_size=task.batch_size, max_iter=task.n_epochs
        )

        def fit(classifier=classifier, X=X, y=y):
            return seconds(lambda: classifier.fit(X, y))

        def fit_with_one_thread(fit=fit):
            with controller.limit(limits=1, user_api="blas"):
                return fit()

        runs = {OURS: fit, ONE_THREAD: fit_with_one_thread}
        with without_convergence_warnings():
            compared = compare(interleaved(runs, settings.n_repeats))
        records += [
            {
                "network": task.label,
                "us_per_step": 1e6 * record["median_seconds"] / task.n_steps,
                **record,
            }
            for record in compared
        ]
    return {"records": records}


def tables(data):
    """Return the times per step and their ratios."""
    records = data["records"]
    header, rows = pivot(
        records, "network", "library", lambda r: number(r["us_per_step"])
    )
    limited = [record for record in records if record["library"] == ONE_THREAD]
    header[1:] = ["default threads", ONE_THREAD, "ratio"]
    for row, record in zip(rows, limited, strict=True):
        row.append(with_quartiles(record))
    note = "Medians. A ratio below 1 means that one thread is faster."
    return [Table("Microseconds per training step, float32", header, rows, note=note)]


def draw(data):
    """Return None: the table needs no plot."""

"""The command: ``python -m benchmarks``.

This module must not import NumPy: the environment variables have to be set first.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks._parts import PARTS
from benchmarks._settings import PEERS, Settings

# These force kernels other than those for the processor at hand.
FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

# JAX reads PJRT_NPROC.
THREAD_COUNTS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "PJRT_NPROC",
)


def main(argv=None):
    """Run the command and return its exit status."""
    options = parser().parse_args(argv)
    for name in FORCED_KERNELS:
        os.environ.pop(name, None)
    if options.threads is not None:
        os.environ.update(dict.fromkeys(THREAD_COUNTS, str(options.threads)))

    from benchmarks import _run

    if not options.report:
        failed = _run.measure(options.only, _settings(options), options.output)
    else:
        failed = []
    print(f"Written: {_run.report(options.output)}")
    return 1 if failed else 0


def parser():
    """Return the parser of the command's options."""
    on_request = [name for name, part in PARTS.items() if not part.by_default]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare sk_rmsprop with other libraries; write JSON files, a "
        "Markdown page and plots.",
        epilog=f"Parts: {', '.join(PARTS)}.",
    )
    parser.add_argument(
        "--only",
        type=_names(PARTS),
        default=[name for name in PARTS if name not in on_request],
        metavar="PART,...",
        help=f"parts to run (default: all but {', '.join(on_request)})",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, to check that everything runs; the numbers are meaningless",
    )
    parser.add_argument(
        "--repeats", type=_positive, help="number of timed runs (default: 7)"
    )
    parser.add_argument(
        "--peers",
        type=_names(PEERS),
        default=list(PEERS),
        metavar="PEER,...",
        help=f"libraries to compare with, out of {', '.join(PEERS)} (default: all that "
        "are installed)",
    )
    parser.add_argument(
        "--threads",
        type=_positive,
        help="number of threads (default: each library decides)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent / "results",
        help="folder for the results (default: benchmarks/results)",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="regenerate Markdown and plots from the JSON files without measuring",
    )
    _add_data_options(parser)
    return parser


def _add_data_options(parser):
    parser.add_argument(
        "--data",
        type=Path,
        help="folder with Fashion-MNIST, as fashion_mnist.npz (X_train, y_train, "
        "X_test, y_test) or as the four original idx files, and with 20 newsgroups, as "
        "newsgroups20.npz (counts of words as CSR matrices)",
    )
    parser.add_argument(
        "--openml",
        action="store_true",
        help="download Fashion-MNIST from OpenML, and 20 newsgroups with scikit-learn",
    )
    parser.add_argument(
        "--file-gib",
        type=float,
        help="size in GiB of the file for the part out_of_core (default: 4)",
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for that file, on a disk (default: the system's temporary folder)",
    )


def _settings(options):
    n_repeats = options.repeats or (2 if options.quick else 7)
    return Settings(
        quick=options.quick,
        n_repeats=n_repeats,
        peers=tuple(options.peers),
        data_folder=options.data,
        openml=options.openml,
        file_gib=options.file_gib,
        scratch=options.scratch,
    )


def _names(known):
    """Return a converter for a comma-separated list of names among `known`."""

    def names(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"{name!r} is not one of {', '.join(known)}"
                )
        return chosen

    return names


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


if __name__ == "__main__":
    sys.exit(main())

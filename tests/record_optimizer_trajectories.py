"""Record how the RMSprop of PyTorch, Keras and optax move fixed parameters.

Each recorded run takes the same start and the same gradients, and stores the
parameters after every step, beside the keyword arguments of our `RMSprop` that
should reproduce it.  A test compares our optimizer with the stored numbers, so it
needs none of these libraries.  To record again, with PyTorch, Keras, JAX and optax
installed:

    pip install torch keras jax optax
    python tests/record_optimizer_trajectories.py

which writes `tests/data/optimizer_trajectories.json`.  In an entry of dtype float32
the start, the gradients and the parameters are to be rounded to float32.
"""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch

OUTPUT = Path(__file__).parent / "data" / "optimizer_trajectories.json"
PACKAGES = ("numpy", "torch", "keras", "jax", "jaxlib", "optax")
N_STEPS = 20
START = [0.5, -1.25, 3.0, -0.75, 0.1, 2.0]
DECAYING_RATES = [round(0.05 * 0.8**step, 6) for step in range(N_STEPS)]

# Powers of two: bias-corrected centred averages then cancel exactly at step 1,
# where v - m^2 is zero but for rounding.
FIRST_GRADIENT = [2.0**-17, -(2.0**6), 2.0**-20, 2.0, -(2.0**-7), 0.0]

# One row per parameter: the decimal exponents its gradients lie between, and the
# fraction of its gradients that is exactly zero.
GRADIENT_SCALES = (
    (-6, -4, 0.0),
    (1, 2, 0.1),
    (-6, 2, 0.1),
    (-1, 1, 0.0),
    (-3, -1, 0.2),
    (-2, 0, 0.6),
)

# What each library calls the arguments of our `RMSprop`, and what it does when they
# are not given.
NAMES = {
    "torch": {"lr": "learning_rate", "alpha": "beta", "eps": "epsilon"},
    "keras": {"rho": "beta"},
    "optax": {
        "decay": "beta",
        "eps": "epsilon",
        "eps_in_sqrt": "epsilon_in_sqrt",
        "initial_scale": "initial_square_average",
    },
}
DEFAULTS = {
    "torch": {"learning_rate": 0.01, "beta": 0.99, "epsilon": 1e-8},
    "keras": {
        "learning_rate": 0.001,
        "beta": 0.9,
        "epsilon": 1e-7,
        "epsilon_in_sqrt": True,
    },
    "optax": {"beta": 0.9, "epsilon": 1e-8, "epsilon_in_sqrt": True},
}
CALLS = {
    "torch": "torch.optim.RMSprop",
    "keras": "keras.optimizers.RMSprop",
    "optax": "optax.rmsprop",
}


class Case(NamedTuple):
    """One run: a library, the arguments it is called with, and how it is run."""

    library: str
    arguments: dict
    dtype: str = "float64"
    learning_rates: list | None = None


def make_gradients(seed=0):
    """Return gradients of varied size and sign, some of them exactly zero."""
    rng = np.random.default_rng(seed)
    low, high, zeros = np.array(GRADIENT_SCALES).T
    shape = (N_STEPS - 1, len(START))
    sizes = 10.0 ** (low + (high - low) * rng.random(shape))
    signs = np.sign(rng.random(shape) - 0.5)
    drawn = np.where(rng.random(shape) < zeros, 0.0, signs * sizes)
    rounded = [[float(f"{value:.4g}") for value in row] for row in drawn]
    return [FIRST_GRADIENT, *rounded]


def torch_cases():
    """Return the runs of `torch.optim.RMSprop`.

    Its `weight_decay` is left out: it is coupled, added to the gradient.
    """
    fixed = [
        {},
        {"lr": 0.01, "alpha": 0.9},
        {"lr": 0.1, "alpha": 0.5},
        {"lr": 0.01, "eps": 1e-3},
        {"lr": 0.01, "momentum": 0.9},
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5},
        {"lr": 0.01, "centered": True},
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "centered": True},
        {"lr": 0.01, "momentum": 0.9, "centered": True},
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "momentum": 0.9, "centered": True},
    ]
    changing = [
        {"alpha": 0.9},
        {"alpha": 0.9, "momentum": 0.9},
        {"alpha": 0.9, "momentum": 0.9, "centered": True},
    ]
    return [
        *(Case("torch", arguments) for arguments in fixed),
        *(changing_rate_case("torch", "lr", arguments) for arguments in changing),
        Case("torch", {"lr": 0.01, "alpha": 0.9, "momentum": 0.9}, "float32"),
    ]


def keras_cases():
    """Return the runs of `keras.optimizers.RMSprop`.

    The rate changes only without momentum: Keras keeps it inside the buffer.
    """
    rate = {"learning_rate": 0.01}
    fixed = [
        {},
        {**rate, "rho": 0.99},
        {**rate, "epsilon": 1e-3},
        {**rate, "momentum": 0.9},
        {**rate, "epsilon": 1e-3, "momentum": 0.5},
        {**rate, "centered": True},
        {**rate, "epsilon": 1e-3, "centered": True},
        {**rate, "momentum": 0.9, "centered": True},
        {**rate, "weight_decay": 0.5},
        {**rate, "momentum": 0.9, "weight_decay": 0.5},
        {
            **rate,
            "rho": 0.99,
            "momentum": 0.9,
            "epsilon": 1e-3,
            "centered": True,
            "weight_decay": 0.5,
        },
    ]
    changing = [{}, {"weight_decay": 0.5}]
    single = {**rate, "momentum": 0.9, "weight_decay": 0.5}
    return [
        *(Case("keras", arguments) for arguments in fixed),
        *(
            changing_rate_case("keras", "learning_rate", arguments)
            for arguments in changing
        ),
        Case("keras", single, "float32"),
    ]


def optax_cases():
    """Return the runs of `optax.rmsprop`.

    The rate changes only without momentum: optax keeps it inside the trace.
    """
    outside = {"eps_in_sqrt": False}
    centered = {"centered": True}
    momentum = {"momentum": 0.9}
    nesterov = {**momentum, "nesterov": True}
    corrected = {"bias_correction": True}
    scaled = {"initial_scale": 1.0}
    fixed = [
        {},
        {"decay": 0.99},
        {"eps": 1e-3},
        outside,
        {"eps": 1e-3, **outside},
        momentum,
        {"decay": 0.5, "momentum": 0.5, **outside},
        nesterov,
        {"eps": 1e-3, **nesterov, **outside},
        centered,
        {"eps": 1e-3, **outside, **centered},
        {**centered, **momentum},
        {**centered, **nesterov},
        corrected,
        {"decay": 0.99, "eps": 1e-3, **outside, **corrected},
        {**momentum, **corrected},
        {**nesterov, **corrected},
        {"eps": 1e-3, **centered, **corrected},
        {"eps": 1e-3, **outside, **centered, **corrected},
        scaled,
        {"initial_scale": 0.25, "eps": 1e-3, **outside},
        {**scaled, **momentum},
        {**scaled, **centered},
        {**scaled, **corrected},
        {**scaled, **centered, **corrected},
        {"decay": 0.99, **scaled, **outside, **centered, **nesterov, **corrected},
    ]
    rate = {"learning_rate": 0.01}
    return [
        *(Case("optax", {**rate, **arguments}) for arguments in fixed),
        changing_rate_case("optax", "learning_rate", corrected),
        Case("optax", {**rate, **nesterov}, "float32"),
    ]


def changing_rate_case(library, name, arguments):
    """Return a run whose learning rate, called `name`, changes at every step."""
    arguments = {name: DECAYING_RATES[0], **arguments}
    return Case(library, arguments, learning_rates=DECAYING_RATES)


def run_torch(case, gradients):
    """Yield the parameters after each step of `torch.optim.RMSprop`."""
    dtype = getattr(torch, case.dtype)
    parameter = torch.tensor(START, dtype=dtype, requires_grad=True)
    optimizer = torch.optim.RMSprop([parameter], **case.arguments)
    for step, gradient in enumerate(gradients):
        if case.learning_rates:
            optimizer.param_groups[0]["lr"] = case.learning_rates[step]
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        yield parameter.detach().numpy().copy()


def run_keras(case, gradients):
    """Yield the parameters after each step of `keras.optimizers.RMSprop`."""
    keras.config.set_floatx(case.dtype)
    variable = keras.Variable(np.array(START, case.dtype), dtype=case.dtype)
    optimizer = keras.optimizers.RMSprop(**case.arguments)
    optimizer.build([variable])
    for step, gradient in enumerate(gradients):
        if case.learning_rates:
            optimizer.learning_rate = case.learning_rates[step]
        optimizer.apply([jnp.array(gradient, case.dtype)], [variable])
        yield np.array(variable.value)


def run_optax(case, gradients):
    """Yield the parameters after each step of `optax.rmsprop`."""
    arguments = dict(case.arguments)
    if case.learning_rates:
        arguments["learning_rate"] = jnp.array(case.learning_rates).__getitem__
    params = jnp.array(START, case.dtype)
    optimizer = optax.rmsprop(**arguments)
    state = optimizer.init(params)
    for gradient in gradients:
        updates, state = optimizer.update(
            jnp.array(gradient, case.dtype), state, params
        )
        params = optax.apply_updates(params, updates)
        yield np.array(params)


RUNNERS = {"torch": run_torch, "keras": run_keras, "optax": run_optax}


def our_options(case):
    """Translate the library's arguments to the keyword arguments of our `RMSprop`."""
    names = NAMES[case.library]
    given = {names.get(name, name): value for name, value in case.arguments.items()}
    return DEFAULTS[case.library] | given


def call_text(case):
    """Return the call that made the library's optimizer, as source text."""
    texts = {name: repr(value) for name, value in case.arguments.items()}
    if case.learning_rates:
        texts[next(iter(texts))] = "learning_rates[step]"
    arguments = ", ".join(f"{name}={text}" for name, text in texts.items())
    return f"{CALLS[case.library]}({arguments})"


def shortest(params, dtype):
    """Return the numbers with just the digits that `dtype` needs to read them back."""
    if params.dtype != dtype or not np.isfinite(params).all():
        raise ValueError(f"expected finite numbers of dtype {dtype}, got {params!r}")
    return [float(str(value)) for value in params]


def record(case, gradients):
    """Run one case and return its entry of the file."""
    steps = RUNNERS[case.library](case, gradients)
    entry = {
        "library": case.library,
        "call": call_text(case),
        "options": our_options(case),
        "dtype": case.dtype,
    }
    if case.learning_rates:
        entry["learning_rates"] = case.learning_rates
    return {**entry, "params": [shortest(params, case.dtype) for params in steps]}


def compact(value):
    """Return `value` as JSON on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def main():
    """Record every case and write the file, one trajectory per line."""
    gradients = make_gradients()
    cases = [*torch_cases(), *keras_cases(), *optax_cases()]
    trajectories = [compact(record(case, gradients)) for case in cases]
    versions = {"python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    lines = [
        f'{{"versions":{compact(versions)},',
        f'"start":{compact(START)},',
        f'"gradients":{compact(gradients)},',
        '"trajectories":[',
        ",\n".join(trajectories),
        "]}",
    ]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

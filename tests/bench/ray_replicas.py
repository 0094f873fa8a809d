"""Rows a second while generating: two replicas of vLLM over Ray, a core each, against one of them.

    python -m tests.bench.ray_replicas

The bundled model on the CPU. Runs are taken in turn, as other work on the machine comes and goes.
"""

import argparse
import statistics

from tests.bench.replicas import rate

# One would take all cores of the node; two divide them.
_ONE_CORE = {"VLLM_CPU_OMP_THREADS_BIND": "0", "OMP_NUM_THREADS": "1"}


def over_ray(replicas: int, rows: int) -> float:
    """Rows a second of so many replicas."""
    flags = ("--engine", "ray", "--replicas", str(replicas))
    return rate(flags, _ONE_CORE if replicas == 1 else {}, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for replicas, found in rates.items():
            found.append(over_ray(replicas, given.rows))
    one, two = (statistics.median(rates[replicas]) for replicas in (1, 2))
    print(f"rows/s: one replica {one:.0f}, two {two:.0f}: {two / one:.2f} times; {rates}")


if __name__ == "__main__":
    main()

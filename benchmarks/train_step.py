"""Training speed of a segmenter: the way `fit_network` does it against the plain way, in one run.

Plain: contiguous tensors, torch's default Adam, glibc as it comes. Ours: channels last, small volumes by oneDNN, fused
Adam, memory kept.
Each in a process of its own, in turn, on the same made volumes. Prints a table and one JSON line.

    python benchmarks/train_step.py --steps 8 --rounds 3
    python benchmarks/train_step.py --network dynunet --shape 24 32 32 --images 1
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

SHAPE = (95, 128, 128)  # of the reference study


def steps(variant: str, count: int, name: str, shape: tuple[int, int, int], images: int) -> dict[str, object]:
    """Seconds of each step and the losses, after one step that is not counted."""
    if variant == "ours":
        from gliobench.models.checkpoints.memory import keep_memory

        keep_memory()
    import torch

    from gliobench.models.networks import NETWORKS
    from gliobench.models.networks.fast import fast
    from gliobench.training.objectives import make_objective
    from gliobench.training.settings import recipe

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    volumes = [torch.randn(1, images, *shape, generator=generator) for _ in range(4)]
    objective = make_objective("mask", ("whole",), recipe(name))
    targets = [(volume[:, :1] > 1).float() for volume in volumes]
    network = NETWORKS[name].build(shape, images, 1)
    if variant == "ours":
        network = fast(network)
        volumes = [volume.contiguous(memory_format=torch.channels_last_3d) for volume in volumes]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True if variant == "ours" else None)
    seconds, losses = [], []
    for step in range(count + 1):
        start = time.perf_counter()
        loss = objective.loss(network(volumes[step % 4]), targets[step % 4])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "losses": losses}


def run(variant: str, given: list[str]) -> dict[str, list[float]]:
    command = [sys.executable, __file__, *given, "--variant", variant]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, list[float]] = json.loads(output.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", default="mask-segmenter", help="a segmenter of `gliobench list networks`")
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, help="of a volume, in voxels")
    parser.add_argument("--images", type=int, default=4, help="of a patient")
    parser.add_argument("--variant", choices=("plain", "ours"), help="measure one variant only, in this process")
    arguments = parser.parse_args()
    if arguments.variant:
        shape = tuple(arguments.shape)
        print(json.dumps(steps(arguments.variant, arguments.steps, arguments.network, shape, arguments.images)))
        return
    results = {variant: [] for variant in ("plain", "ours")}
    for _ in range(arguments.rounds):
        for variant, runs in results.items():
            runs.append(run(variant, sys.argv[1:]))
    medians = {name: statistics.median(s for one in runs for s in one["seconds"]) for name, runs in results.items()}
    pairs = zip(results["plain"][0]["losses"], results["ours"][0]["losses"], strict=True)
    apart = max(abs(plain - ours) for plain, ours in pairs)
    for name, seconds in medians.items():
        print(f"{name:<6} {seconds:.3f} s a step, {1 / seconds:.2f} samples a second")
    ratio = medians["plain"] / medians["ours"]
    print(f"ours is {ratio:.2f} times faster; the loss curves differ by at most {apart:.1e}")
    print(json.dumps({"seconds": medians, "ratio": ratio, "loss_difference": apart, "rounds": arguments.rounds}))


if __name__ == "__main__":
    main()

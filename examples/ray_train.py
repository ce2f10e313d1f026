"""Fine-tune on several machines: Ray's workers each start a Deno process that trains, and their gradients are averaged.

    pip install ray numpy
    python examples/ray_train.py --data FOLDER --output FOLDER    # a folder as ImageTextDataset.fromFolder reads it
    python examples/ray_train.py --check                          # two workers are one worker with twice the batch

The loss is a mean over labels, so each worker's gradients count by its number of labels. A worker that dies is started
again with the state of another, saved in a folder that both can reach (of TMPDIR), and the
step is taken again.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy
import ray

ROOT = pathlib.Path(__file__).resolve().parents[1]


@ray.remote(max_restarts=0)
class Worker:
    """A Deno process that trains."""

    def __init__(self, setup, resume=None):
        script = str(ROOT / "examples/ray_worker.ts")
        self.process = subprocess.Popen(
            ["deno", "run", "-A", "--quiet", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        self.opened, _ = self.ask({"do": "open", **setup, **({"resume": resume} if resume else {})})

    def ask(self, request, values=b""):
        """Send a request with float32 values, and wait for the reply and its values."""
        head = json.dumps(request).encode()
        try:
            for part in (head, memoryview(values).cast("B")):
                self.process.stdin.write(struct.pack("<I", len(part)))
                self.process.stdin.write(part)
            self.process.stdin.flush()
        except BrokenPipeError:
            os._exit(1)  # as below
        reply = json.loads(self.read())
        found = numpy.frombuffer(self.read(), dtype=numpy.float32)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply, found

    def read(self):
        (length,) = struct.unpack("<I", self.read_bytes(4))
        return self.read_bytes(length)

    def read_bytes(self, length):
        found = self.process.stdout.read(length)
        if len(found) < length:
            os._exit(1)  # the Deno process is gone, and so is this worker
        return found

    def about(self):
        """The reply to `open`: what is trained, and the process's number, which need not be that of the command."""
        return self.opened


class Team:
    """Workers that hold the same parameters."""

    def __init__(self, count, setup, batch_size):
        self.setup, self.batch_size, self.restarts = setup, batch_size, 0
        self.workers = [Worker.remote(setup) for _ in range(count)]
        self.trained = ray.get(self.workers[0].about.remote())["trained"]

    def step(self):
        """Take a step; (its number, the loss), or None where workers died and were started again."""
        every = len(self.workers)
        asked = [{"do": "gradients", "batchSize": self.batch_size, "first": i, "every": every} for i in range(every)]
        given = self.all(asked)
        if given is None:
            return None
        labels = numpy.array([reply["labels"] for reply, _ in given], dtype=numpy.float64)
        shares = labels / labels.sum()
        loss = float(sum(share * reply["loss"] for share, (reply, _) in zip(shares, given)))
        mean = sum(share * values.astype(numpy.float64) for share, (_, values) in zip(shares, given))
        applied = self.all([{"do": "apply"}] * every, ray.put(mean.astype(numpy.float32)))
        # Whoever has died meanwhile comes back with a state in which the update is made, or not yet.
        return (given[0][0]["steps"], loss) if applied or self.steps() > given[0][0]["steps"] else None

    def all(self, requests, values=b""):
        """The replies of all workers; None where some had died, which are started again."""
        pending = [worker.ask.remote(request, values) for worker, request in zip(self.workers, requests)]
        replies = []
        for reply in pending:
            try:
                replies.append(ray.get(reply))
            except ray.exceptions.RayActorError:
                replies.append(None)
        if None not in replies:
            return replies
        self.restore([i for i, reply in enumerate(replies) if reply is None])

    def restore(self, dead):
        """Start workers again with the state of one that lives."""
        living = [i for i in range(len(self.workers)) if i not in dead]
        if not living:
            raise RuntimeError("all workers have died")
        with tempfile.TemporaryDirectory() as folder:
            # A living worker that has not made the update that others have is behind: the furthest gives its state.
            steps = {i: ray.get(self.workers[i].ask.remote({"do": "parameters"}))[0]["steps"] for i in living}
            source = max(steps, key=steps.get)
            ray.get(self.workers[source].ask.remote({"do": "save", "folder": folder}))
            for i in [*dead, *(i for i in living if steps[i] < steps[source])]:
                ray.kill(self.workers[i])
                self.workers[i] = Worker.remote(self.setup, folder)
                ray.get(self.workers[i].about.remote())
                self.restarts += 1

    def steps(self):
        return ray.get(self.workers[0].ask.remote({"do": "parameters"}))[0]["steps"]

    def parameters(self):
        """The values of each trained parameter."""
        _, values = ray.get(self.workers[0].ask.remote({"do": "parameters"}))
        found, at = {}, 0
        for name, shape in self.trained:
            size = int(numpy.prod(shape))
            found[name] = values[at : at + size]
            at += size
        return found

    def train(self, steps, kill_at=None):
        losses = {}
        while len(losses) < steps:
            if kill_at == len(losses) and self.restarts == 0:
                os.kill(ray.get(self.workers[-1].about.remote())["process"], 9)
            taken = self.step()
            if taken:
                losses[taken[0]] = taken[1]
                print(f"step {taken[0] + 1}: loss {taken[1]:.6f}", flush=True)
        return [losses[step] for step in sorted(losses)]

    def close(self):
        for worker in self.workers:
            ray.kill(worker)


def example_data(folder):
    """The pictures of the repository, each with a text that the embedded model does not read in it."""
    texts = ["the abbot of a monastery", "2/8", "no"]
    lines = []
    for i, name in enumerate(["line.png", "date.png", "shout.png"]):
        shutil.copy(ROOT / "assets/examples" / name, folder)
        lines += [json.dumps({"file_name": name, "text": texts[i]})]
    (pathlib.Path(folder) / "metadata.jsonl").write_text("\n".join(lines) + "\n")


def difference(found, expected):
    return float(numpy.abs(found - expected).max() / numpy.abs(expected).max())


def check(setup, steps=10):
    """Whether two workers, one of which is killed, do what one with twice the batch does."""
    runs = {}
    for count, kill_at in [(1, None), (2, 4)]:
        print(f"{count} workers:", flush=True)
        team = Team(count, setup, batch_size=3)
        losses = team.train(steps, kill_at)
        runs[count] = losses, team.parameters(), team.restarts
        team.close()
    losses, parameters, _ = runs[1]
    found, values, restarts = runs[2]
    loss_error = max(abs(a / b - 1) for a, b in zip(found, losses))
    # A key's bias moves all scores of a query alike: its gradient is rounding, of which Adam makes whole steps.
    compared = [one for one in parameters if not re.search(r"(key|k_proj)\.bias$", one)]
    error = max(difference(values[one], parameters[one]) for one in compared)
    print(f"losses off by {loss_error:.1e}, parameters by {error:.1e}, {restarts} restarts")
    good = losses[-1] < losses[0] and loss_error <= 1e-5 and error <= 1e-4 and restarts == 1
    return good


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default=str(ROOT / "assets/model"), help="a folder or a name on the Hub")
    options.add_argument("--data", help="pictures with a metadata.jsonl; else some of the repository's")
    options.add_argument("--output", help="the folder that the trainer is saved in")
    options.add_argument("--backend", default="ffi")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--batch", type=int, default=8, help="pictures of a step, all workers together")
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--lr", type=float, default=1e-4)
    options.add_argument("--check", action="store_true", help="compare two workers with one, and exit with 0 or 1")
    given = options.parse_args()
    ray.init(num_cpus=max(2, given.workers), include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        example_data(folder)
        trainer = {"learningRate": given.lr, "dropout": False}
        setup = {"model": given.model, "data": given.data or folder, "backend": given.backend, "options": trainer}
        if given.check:
            good = check(setup)
            print("the same" if good else "not the same")
            return 0 if good else 1
        team = Team(given.workers, setup, given.batch)
        team.train(given.steps)
        if given.output:
            folder = str(pathlib.Path(given.output).resolve())
            ray.get(team.workers[0].ask.remote({"do": "save", "folder": folder}))
        team.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Caption pictures on a Ray cluster: Ray Data's actors each start a Deno process, and give it batches of rows.

    pip install "ray[data]"                   # each machine needs Deno and this repository
    python examples/fleet/ray_captions.py --input pictures.parquet --output captions
    python examples/fleet/ray_captions.py --check 200     # pictures of the repository, one process killed on the way

The input has a column `id` and one of `path`, `url`, `base64`. The output has an id, a text and a confidence a row, or an
error. An actor whose process dies ends too; Ray starts it again and gives it its batch again.
"""

import argparse
import os
import pathlib
import sys
import tempfile

import ray

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from caption_worker import CaptionWorker, WorkerDied, example_rows  # noqa: E402


class Captioner:
    """An actor."""

    def __init__(self, options, kill_once=None):
        self.worker = CaptionWorker(options)
        self.kill_once = kill_once

    def __call__(self, batch):
        lines = [dict(zip(batch, values)) for values in zip(*(column.tolist() for column in batch.values()))]
        answers = []
        try:
            for answer in self.worker.caption(lines):
                answers.append(answer)
                self.maybe_kill()
        except WorkerDied:
            os._exit(1)  # Ray starts this actor again
        errors = [answer.get("error") for answer in answers]
        return {
            "id": [answer["id"] for answer in answers],
            "text": [answer.get("text", "") for answer in answers],
            "confidence": [answer.get("confidence", 0.0) for answer in answers],
            "error": [error["message"] if error else "" for error in errors],
        }

    def maybe_kill(self):
        """For the check: the first actor that comes here kills its process, once."""
        if not self.kill_once:
            return
        try:
            os.close(os.open(self.kill_once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        self.worker.process.kill()


def captioned(rows, options, actors, kill_once=None):
    arguments = {"options": options, "kill_once": kill_once}
    return rows.map_batches(Captioner, fn_constructor_kwargs=arguments, concurrency=actors, batch_size=64)


def check(count):
    """Whether each picture comes back once with its text, also where a process is killed."""
    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows, texts = example_rows(count)
    with tempfile.TemporaryDirectory() as folder:
        killed = pathlib.Path(folder) / "killed"
        pictures = ray.data.from_items(rows).repartition(4)
        found = captioned(pictures, [], 2, str(killed)).take_all()
        was_killed = killed.exists()
    ray.shutdown()
    ids = [row["id"] for row in found]
    wrong = [row for row in found if row["text"] != texts[row["id"]]]
    print(f"Ray: {len(ids)} answers of {count}, {len(set(ids))} ids, {len(wrong)} wrong, a process killed: {was_killed}")
    return sorted(ids) == sorted(texts) and not wrong and was_killed


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--input", help="a Parquet file or folder")
    options.add_argument("--output", help="a folder for Parquet files")
    options.add_argument("--model", help="a folder that each machine has, or a name on the Hub; else the embedded model")
    options.add_argument("--actors", type=int, default=2)
    options.add_argument("--check", type=int, metavar="COUNT", help="caption so many pictures, and exit with 0 or 1")
    given = options.parse_args()
    if given.check:
        return 0 if check(given.check) else 1
    if not given.input or not given.output:
        options.error("--input and --output are needed")
    ray.init()
    model = ["--model", given.model] if given.model else []
    captioned(ray.data.read_parquet(given.input), model, given.actors).write_parquet(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

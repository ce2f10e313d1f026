"""A Deno process that captions pictures, `caption.ts worker`, as Spark's and Ray's workers each start one."""

import json
import pathlib
import subprocess
import threading

CAPTION = str(pathlib.Path(__file__).resolve().parents[2] / "caption.ts")


class WorkerDied(Exception):
    """The process has ended before it had answered."""


class CaptionWorker:
    """A process. Where it says nothing for so many seconds, not even a heartbeat, it is ended."""

    def __init__(self, options=(), script=CAPTION, silence=120):
        command = ["deno", "run", "-A", "--quiet", script, "worker", "--heartbeat", "10", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.silence = silence

    def caption(self, lines):
        """The answers to lines, each with an id and a path, url or base64, in their order, as they come."""
        writer = threading.Thread(target=self.write, args=(lines,), daemon=True)
        writer.start()
        for done in range(len(lines)):
            answer = self.read()
            if answer is None:
                raise WorkerDied(f"caption.ts worker ended with {self.process.wait()} after {done} of {len(lines)} answers")
            yield answer
        writer.join()

    def write(self, lines):
        try:
            for line in lines:
                self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # whoever reads finds out

    def read(self):
        """The next answer that is no heartbeat; None where the process has ended."""
        while True:
            watchdog = threading.Timer(self.silence, self.process.kill)
            watchdog.start()
            line = self.process.stdout.readline()
            watchdog.cancel()
            if not line.endswith(b"\n"):
                return None
            answer = json.loads(line)
            if "heartbeat" not in answer:
                return answer

    def close(self):
        """End the process, which has nothing left to do."""
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise WorkerDied(f"caption.ts worker ended with {self.process.returncode}")


def example_rows(count):
    """Rows with pictures of the repository, and the texts that belong to their ids."""
    texts = {
        "line.png": "ninth century Zen master",
        "address.png": "hypnotics.applesauce@heron.org",
        "date.png": "2/8/2021",
        "shout.png": "ALL MY UNDERSHIRTS!!",
    }
    folder = pathlib.Path(CAPTION).parent / "assets/examples"
    names = [list(texts)[i % len(texts)] for i in range(count)]
    rows = [{"id": f"{name}-{i}", "path": str(folder / name)} for i, name in enumerate(names)]
    return rows, {row["id"]: texts[name] for row, name in zip(rows, names)}

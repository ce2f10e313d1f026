"""Caption pictures on a Spark cluster: each task starts a Deno process, and gives it the rows of its partition.

    pip install pyspark pandas pyarrow        # and Java 17 or later; each machine needs Deno and this repository
    python examples/fleet/spark_captions.py --input pictures.parquet --output captions.parquet
    python examples/fleet/spark_captions.py --check 200   # pictures of the repository, one process killed on the way

The input has a column `id` and one of `path`, `url`, `base64`. The output has an id, a text and a confidence a row, or an
error. A task whose process dies fails, and Spark tries it again.
"""

import argparse
import os
import pathlib
import sys

import pandas
from pyspark import TaskContext
from pyspark.sql import SparkSession

from caption_worker import CAPTION, CaptionWorker, example_rows

SCHEMA = "id string, text string, confidence double, error string, attempt int"


def captioned(options, script=CAPTION, killed_partition=None):
    """A function for mapInPandas; the script lies under the same path on each machine."""

    def caption(frames):
        context = TaskContext.get()
        attempt = context.attemptNumber()
        worker = CaptionWorker(options, script)
        try:
            for frame in frames:
                rows = []
                for answer in worker.caption(frame.to_dict("records")):
                    error = answer.get("error")
                    rows.append(
                        {
                            "id": answer["id"],
                            "text": answer.get("text"),
                            "confidence": answer.get("confidence"),
                            "error": error and error["message"],
                            "attempt": attempt,
                        }
                    )
                    if attempt == 0 and context.partitionId() == killed_partition:
                        worker.process.kill()
                yield pandas.DataFrame(rows, columns=["id", "text", "confidence", "error", "attempt"])
            worker.close()
        finally:
            worker.process.kill()

    return caption


def session(master):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # where all is this machine: the Python that has pandas
    builder = SparkSession.builder.appName("limner captions")
    if master:
        builder = builder.master(master).config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # Whoever runs tasks needs the module that starts the processes.
    spark.sparkContext.addPyFile(str(pathlib.Path(__file__).resolve().parent / "caption_worker.py"))
    return spark


def check(count):
    """Whether each picture comes back once with its text, also where a process is killed."""
    spark = session("local[2,4]")  # two tasks at a time, each tried four times
    rows, texts = example_rows(count)
    pictures = spark.createDataFrame(rows, "id string, path string").repartition(4)
    found = pictures.mapInPandas(captioned([], killed_partition=1), SCHEMA).collect()
    spark.stop()
    ids = [row.id for row in found]
    wrong = [row for row in found if row.text != texts[row.id]]
    again = sum(row.attempt > 0 for row in found)
    print(f"Spark: {len(ids)} answers of {count}, {len(set(ids))} ids, {len(wrong)} wrong, {again} by tasks tried again")
    return sorted(ids) == sorted(texts) and not wrong and 0 < again < count


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--input", help="a Parquet file or folder")
    options.add_argument("--output", help="where to write Parquet")
    options.add_argument("--model", help="a folder that each machine has, or a name on the Hub; else the embedded model")
    options.add_argument("--master", help="such as local[4]; else as spark-submit says")
    options.add_argument("--check", type=int, metavar="COUNT", help="caption so many pictures, and exit with 0 or 1")
    given = options.parse_args()
    if given.check:
        return 0 if check(given.check) else 1
    if not given.input or not given.output:
        options.error("--input and --output are needed")
    spark = session(given.master)
    answers = spark.read.parquet(given.input).mapInPandas(captioned(["--model", given.model] if given.model else []), SCHEMA)
    answers.drop("attempt").write.parquet(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

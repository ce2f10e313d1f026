// The queue that callers share: each lane's order, failure and abort are its own.
import { assertEquals, assertRejects } from "@std/assert";
import { type Lane, WorkQueue } from "../../src/async/work_queue.ts";

/** Long pieces of work: each is under way until it is ended. */
class Pieces {
  readonly log: string[] = [];
  readonly #open: { name: string; end: (error?: Error) => void }[] = [];

  run(lane: Lane, name: string): void {
    lane.run(() => {
      this.log.push(name);
      return new Promise((resolve, reject) =>
        this.#open.push({ name, end: (error) => error ? reject(error) : resolve() })
      );
    });
  }

  /** End the piece under way, and let what follows begin. */
  async end(error?: Error): Promise<void> {
    const [{ end }] = this.#open.splice(0, 1);
    end(error);
    for (let i = 0; i < 8; i++) await Promise.resolve();
  }

  get underWay(): string[] {
    return this.#open.map(({ name }) => name);
  }
}

Deno.test("work queue: short work begins at once where nothing is under way, and reads see what was before them", async () => {
  const queue = new WorkQueue();
  const lane = queue.lane();
  let value = 0;
  lane.run(() => void (value = 1));
  assertEquals([value, queue.isIdle], [1, true]);
  const first = lane.read(() => value);
  lane.run(() => void (value = 2));
  assertEquals([await first, await lane.read(() => value)], [1, 2]);
});

Deno.test("work queue: lanes take turns, a long piece each, in their own order", async () => {
  const queue = new WorkQueue();
  const [a, b, c] = [queue.lane(), queue.lane(), queue.lane()];
  const pieces = new Pieces();
  for (const name of ["a1", "a2", "a3"]) pieces.run(a, name);
  for (const name of ["b1", "b2"]) pieces.run(b, name);
  c.run(() => void pieces.log.push("c short"));
  pieces.run(c, "c1");
  while (pieces.underWay.length > 0) {
    assertEquals(pieces.underWay.length, 1);
    await pieces.end();
  }
  assertEquals(pieces.log, ["a1", "b1", "c short", "c1", "a2", "b2", "a3"]);
  assertEquals(queue.isIdle, true);
});

Deno.test("work queue: a failure drops what its lane queued after it, is reported by its reads, and is no other's", async () => {
  const queue = new WorkQueue();
  const [a, b] = [queue.lane(), queue.lane()];
  const pieces = new Pieces();
  pieces.run(a, "a1");
  pieces.run(a, "a2");
  const [early, late] = [a.read(() => "early"), a.read(() => "late")];
  pieces.run(b, "b1");
  const other = b.read(() => "b is well");
  const refused = [early, late].map((read) => assertRejects(() => read, Error, "a1 failed"));
  await pieces.end(new Error("a1 failed"));
  await Promise.all(refused);
  await pieces.end();
  assertEquals([await other, pieces.log], ["b is well", ["a1", "b1"]]);
  // It was reported: the lane goes on.
  assertEquals(await a.read(() => "a goes on"), "a goes on");
  // One that no read was waiting for is kept for the next, and what is queued meanwhile is dropped.
  a.run(() => {
    throw new Error("short work failed");
  });
  a.run(() => void pieces.log.push("dropped"));
  await assertRejects(() => a.read(() => 0), Error, "short work failed");
  assertEquals([await a.read(() => 1), pieces.log.length], [1, 2]);
});

Deno.test("work queue: an abort ends its lane, at once or with the piece under way, and no other", async () => {
  const queue = new WorkQueue();
  const [stopA, stopB] = [new AbortController(), new AbortController()];
  const pieces = new Pieces();
  let stopped = 0;
  const [a, b, c] = [
    queue.lane({ signal: stopA.signal, stop: () => stopped++ }),
    queue.lane({ signal: stopB.signal }),
    queue.lane(),
  ];
  pieces.run(a, "a1");
  pieces.run(a, "a2");
  pieces.run(b, "b1");
  pieces.run(c, "c1");
  const reads = [a.read(() => 0), b.read(() => 0)];
  const [endOfA, endOfB] = reads.map((read, i) => assertRejects(() => read, Error, `enough of ${"ab"[i]}`));
  stopB.abort(new Error("enough of b"));
  await endOfB;
  stopA.abort(new Error("enough of a"));
  assertEquals([stopped, pieces.underWay], [1, ["a1"]]);
  await pieces.end(new Error("terminated"));
  await endOfA;
  assertEquals(pieces.underWay, ["c1"]);
  await pieces.end();
  assertEquals(pieces.log, ["a1", "c1"]);
  // A lane that was aborted stays so.
  a.run(() => void pieces.log.push("never"));
  for (let i = 0; i < 2; i++) await assertRejects(() => a.read(() => 0), Error, "enough of a");
  assertEquals([pieces.log.length, await c.read(() => 7)], [2, 7]);
});

Deno.test("work queue: acts afterwards when what was queued before has ended, and between when nothing is under way", async () => {
  const queue = new WorkQueue();
  const [a, b] = [queue.lane(), queue.lane()];
  const pieces = new Pieces();
  const note = (text: string) => () => void pieces.log.push(text);
  queue.afterwards(note("at once"));
  pieces.run(a, "a1");
  pieces.run(b, "b1");
  queue.afterwards(note("afterwards"));
  const between = queue.between(note("between"));
  pieces.run(a, "a2");
  const settled = queue.settled(() => pieces.log.length);
  await pieces.end();
  await between;
  await pieces.end();
  await pieces.end();
  assertEquals(pieces.log, ["at once", "a1", "between", "b1", "afterwards", "a2"]);
  assertEquals(await settled, 6);
  const failing = () => {
    throw new Error("the act failed");
  };
  await assertRejects(() => queue.between(failing), Error, "the act failed");
  assertEquals(queue.isIdle, true);
});

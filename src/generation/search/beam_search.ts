// Beam search and beam sampling: steps are taken until the books (beam_hypotheses.ts) say that nothing can change any more.
// Those that were taken beyond, because the device is looked at now and then only, count for nothing.
import { compaction } from "./row_compaction.ts";
import { type Beam, Picture } from "./beam_hypotheses.ts";
import type { Generation } from "../request/generation.ts";
import { DeviceRanker, HostRanker, type Ranker } from "./beam_scorers.ts";
import type { Decoded } from "./sampling.ts";
import type { Session } from "../programs/session.ts";

/** Go on without the pictures that are done, where that saves enough. @returns Those in the session's new order. */
function compact(session: Session, pictures: readonly Picture[], length: number): readonly Picture[] {
  const { beams } = session.sizes;
  const plan = compaction(pictures.flatMap(({ done }) => Array<boolean>(beams).fill(!done)), beams);
  if (!plan) return pictures;
  session.shrink(plan.to, plan.moves, length);
  return plan.moves.pictures.map(([from]) => pictures[from]);
}

function rankerOf(session: Session, generation: Generation): Ranker {
  const { selection } = session.shape;
  if (selection.kind === "beams") return new DeviceRanker(session, generation, selection);
  return new HostRanker(session, generation);
}

/** Let pictures go on by a step. @returns Whether the search goes on. */
function advance(pictures: readonly Picture[], step: Awaited<ReturnType<Ranker["next"]>>[number]): boolean {
  let open = false;
  pictures.forEach((picture, p) => {
    if (!picture.done && picture.advance(step[p])) open = true;
  });
  return open && pictures.some(({ done }) => !done);
}

/** The texts found, padded to the longest. */
function decoded(best: readonly Beam[], generation: Generation): Decoded {
  const { maxLength, padTokenId, eosTokenIds, outputConfidences } = generation;
  const longest = Math.max(...best.map(({ tokens }) => tokens.length));
  // Transformers takes a pad token of 0 for none here.
  const fill = eosTokenIds.length ? padTokenId || eosTokenIds[0] : padTokenId;
  return {
    sequences: best.map(({ tokens }) => [...tokens, ...Array(longest - tokens.length).fill(fill)]),
    truncated: best.map(({ tokens }) => tokens.length >= maxLength && !eosTokenIds.includes(tokens[tokens.length - 1])),
    sequencesScores: best.map(({ score }) => score),
    ...(outputConfidences && { confidences: best.map(({ logProbabilities }) => logProbabilities.map(Math.exp)) }),
  };
}

/** Decode with beams; the encoder's programs are queued before. */
export async function decodeBeams(session: Session, generation: Generation): Promise<Decoded> {
  const { prompts, promptLength, numBeams, numReturnSequences, outputScores, signal } = generation;
  const pictures = prompts.map((prompt, index) => new Picture(prompt, index, generation));
  const ranker = rankerOf(session, generation);
  session.writeTokens(prompts.flatMap((prompt) => Array(numBeams).fill(prompt)));
  let active: readonly Picture[] = pictures;
  for (let length = promptLength;;) {
    const steps = await ranker.next(active, length);
    signal?.throwIfAborted();
    if (!steps.every((step) => advance(active, step))) break;
    length += steps.length;
    ranker.follow(active, length);
    // Scores are those of all rows.
    if (!outputScores) active = compact(session, active, length);
  }
  const best = pictures.flatMap((picture) => picture.best.slice(0, numReturnSequences));
  return { ...decoded(best, generation), ...(outputScores && { scores: ranker.scores }) };
}

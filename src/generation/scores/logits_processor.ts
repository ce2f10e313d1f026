// What changes a row of scores before a token is taken from it, on the host.

/**
 * Changes the scores of a row's next token.
 *
 * @param tokens The row's tokens so far, the prompt first.
 * @param scores A score for each token of the vocabulary: logits, or log-probabilities in beam search. It is changed in
 * place; −Infinity forbids a token.
 */
export type LogitsProcessor = (tokens: readonly number[], scores: Float32Array) => void;

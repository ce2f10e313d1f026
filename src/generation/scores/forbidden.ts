// How programs forbid a token: they have no infinity that every device keeps.
import { lowestScore } from "../../operators/mod.ts";

/** A score that no token has. */
export const forbidden = lowestScore;

/** A score that a program gave, with −Infinity where its token is forbidden. */
export const scoreOf = (given: number): number => given <= forbidden ? -Infinity : given;

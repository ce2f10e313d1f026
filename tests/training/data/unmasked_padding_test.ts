// Labels that are filled with the pad token, as tokenizers fill them, and not with -100.
import { assert, assertThrows } from "@std/assert";
import { OptionError } from "../../../mod.ts";
import { checkPadding } from "../../../src/training/data/mod.ts";

const [pad, end] = [0, 2];

Deno.test("labels that end in pad tokens are refused by their row", () => {
  const refused: readonly (readonly number[])[] = [
    [5, 6, end, pad, pad],
    [5, 6, 7, end, pad], // the last but one in length of a batch
    [5, 6, pad, pad, pad], // no token is known to end it
    [5, end, pad, pad, -100], // masked in part
    [pad, pad, pad, pad, pad],
  ];
  for (const row of refused) {
    const error = assertThrows(() => checkPadding([[5, 6, 7, 8, end], row], { pad, ends: [end] }), OptionError);
    assert(/row 1 ends in (a|\d) pad tokens? \(config.pad_token_id is 0\).*-100.*countPadding/.test(error.message));
  }
});

Deno.test("labels that are masked, or have pad tokens as text, are taken", () => {
  checkPadding([[5, 6, end, -100, -100], [-100, 5, pad, 6, end], [5, 6, 7, 8, pad], [pad, pad, pad, 5, end]], {
    pad,
    ends: [end],
  });
  checkPadding([[5, pad, pad, pad, pad]], { ends: [end] });
});

Deno.test("where the pad token ends a text, the first of them counts and no more", () => {
  const tokens = { pad: 9, ends: [9] };
  checkPadding([[5, 6, 9], [9, -100, -100], [5, 9, -100]], tokens);
  for (const row of [[5, 9, 9], [9, 9, 9], [9, 9, -100]]) {
    assertThrows(() => checkPadding([row], tokens), OptionError, "row 0 ends in");
  }
});

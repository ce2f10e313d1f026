// How bars look and behave on a terminal.

/**
 * What all bars of the command have in common, as options of cli-progress. An interrupt ends the process at once, with
 * nothing cleaned up: so the cursor stays visible and lines wrap.
 */
export const barStyle = {
  barCompleteChar: "=",
  barIncompleteChar: " ",
  clearOnComplete: true,
  gracefulExit: false,
  linewrap: true,
  hideCursor: false,
};

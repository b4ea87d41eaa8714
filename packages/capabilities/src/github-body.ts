/**
 * Characters of the longest body that is written. GitHub refuses one of more than 65 536 characters with 422; of other hosts none is
 * known to take less.
 */
const LONGEST_BODY = 65_000;
/** Characters of the longest title that is written. GitHub takes 256, Gitea 255. */
const LONGEST_TITLE = 255;

const CUT = '\n\n… (the rest was too long to be written here)';

/** Characters from the end in which its hidden lines are looked for: they are at most three, each with ids of at most 64 characters. */
const HIDDEN_LOOKED = 2_000;

/** The hidden lines a body ends with, by which what was written is found again. */
const HIDDEN_END = /(?:\s*<!-- caloron[^\n]{0,300}?-->)+\s*$/;

/** A text that a host takes as the body of an issue, a pull request, a comment or a review: cut where it is too long, with its hidden lines. */
export function fitBody(body: string): string {
  if (body.length <= LONGEST_BODY) return body;
  const hidden = HIDDEN_END.exec(body.slice(-HIDDEN_LOOKED))?.[0] ?? '';
  const kept = body.slice(0, LONGEST_BODY - CUT.length - hidden.length - 2);
  return `${kept.toWellFormed()}${CUT}${hidden === '' ? '' : `\n\n${hidden.trimStart()}`}`;
}

/** A text that a host takes as a title: one line, cut where it is too long. */
export function fitTitle(title: string): string {
  const line = title.replaceAll(/\s+/g, ' ').trim();
  return line.length <= LONGEST_TITLE ? line : `${line.slice(0, LONGEST_TITLE - 1).toWellFormed()}…`;
}

import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';

/** What would move the cursor, change colours or turn the direction of writing. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Text as one line that only shows: line breaks and control characters become a blank. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, '\ufffd').replaceAll(CONTROLS, ' ');
}

/** A text with blanks behind it, so that it takes `width` columns. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** A text of at most `width` columns; what is longer ends in `…`, or begins with it: of a path the end tells more. */
export function cutTo(text: string, width: number, position: 'start' | 'end' = 'end'): string {
  return cliTruncate(text, Math.max(0, width), { position });
}

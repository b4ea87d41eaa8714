import { HumanWord } from './event.ts';

/** As commands of `caloron` are called where the word itself is another. */
const AS_COMMAND: ReadonlyMap<string, HumanWord> = new Map([
  ['resolve', 'resolved'],
  ['take-over', 'caloron:take-over'],
]);

/** Characters of a line that may be a word: more than any has with its emphasis. */
const LONGEST_LINE = 60;

/**
 * The word a comment says: alone on its first line, in any case, emphasised or not, with or without a stop behind it. What is quoted, struck
 * out, asked or code says none; undefined then.
 */
export function wordOf(comment: string): HumanWord | undefined {
  const first = comment.split('\n').find((line) => line.trim() !== '') ?? '';
  if (/^(?: {4}| {0,3}\t)/.test(first)) return undefined;
  const said = bare(first.trim()).toLowerCase();
  return AS_COMMAND.get(said) ?? HumanWord.safeParse(said).data;
}

/** A line without the emphasis around it and the punctuation behind it. */
function bare(line: string): string {
  if (line.length > LONGEST_LINE) return line;
  const stopped = line.replace(/[.!,;:\u3002\uff01]+$/u, '').trim();
  const inner = /^(\*{1,3}|_{1,3})([^\s*_].*)\1$/.exec(stopped)?.[2]?.trim() ?? stopped;
  return inner === line ? line : bare(inner);
}

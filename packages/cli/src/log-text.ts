import { StringDecoder } from 'node:string_decoder';

/** A line that does not end is shown in parts of this many characters. */
const LONGEST_LINE = 64 * 1024;

/** Colours and weights; what moves the cursor, names the window or fills the clipboard; every other control character but tab and line break. */
const SEQUENCES =
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  /\u001b\[[\d;]*m|\u001b\[[\d;?<=>!]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A program's output as a terminal may show it: it colours at most, and only where colours are wanted. */
export function harmless(text: string, colours: boolean): string {
  // What was written over itself, as a progress bar, is shown line by line.
  const lines = text.replaceAll(/\r+(?=\n|$)/gu, '').replaceAll('\r', '\n');
  return lines.replaceAll(SEQUENCES, (found) =>
    colours && found.startsWith('\u001b[') && found.endsWith('m') ? found : '',
  );
}

/** Makes lines of bytes as they come, also where a character or a line is cut in two. */
export interface LineReader {
  push(bytes: Buffer): void;
  /** Hands on what is left of a line that never ended. */
  end(): void;
}

/** A reader that hands on whole lines, without their ends. */
export function readLines(take: (line: string) => void): LineReader {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const add = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
    while (rest.length > LONGEST_LINE) {
      take(rest.slice(0, LONGEST_LINE));
      rest = rest.slice(LONGEST_LINE);
    }
  };
  return {
    push: (bytes) => add(decoder.write(bytes)),
    end: () => {
      add(decoder.end());
      if (rest !== '') take(rest);
      rest = '';
    },
  };
}

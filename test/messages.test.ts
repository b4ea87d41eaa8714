import { describe, expect, it } from 'vitest';

import { filesBelow, textOf } from './support/tree.ts';

const ROOMS = ['packages', 'stages'];

/** A command of ours in a text, written as it cannot be typed at the root of a clone. */
const BARE =
  /(?<![\w./-])(?:caloron|noether) (?:demo|init|up|down|kickoff|tick|run|status|agents|logs|stop|resolve|retro|history|show|state|kv|doctor|check|graph|migrate|stage|store|trace|runs|registry)\b/;

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

describe('what a failure says', () => {
  it('names commands as they can be typed: ./caloron and ./noether', () => {
    const wrong = ROOMS.flatMap((room) => filesBelow(room, '.ts'))
      .filter((path) => !/\.test\.ts$|\/testing\//.test(path))
      .flatMap((path) => {
        const lines = withoutComments(textOf(path)).split('\n');
        return lines.filter((line) => BARE.test(line)).map((line) => `${path}: ${line.trim()}`);
      });

    expect(wrong).toEqual([]);
  });
});

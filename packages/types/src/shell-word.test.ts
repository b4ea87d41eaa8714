import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { shellWord } from './shell-word.ts';

describe('a word of a command', () => {
  it('stays as it is where a shell takes it so', () => {
    expect(shellWord('/srv/lib/poll-1.json')).toBe('/srv/lib/poll-1.json');
  });

  it.each(['', 'a b', "it's", 'ünï', '$HOME', '`id`', 'a"b', '*', 'line\nbreak', '-', '~'])(
    'reaches the program unchanged: %j',
    (text) => {
      const printed = execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' });
      expect(printed).toBe(text);
    },
  );
});

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { withOwnName } from './program.ts';

const BIN = fileURLToPath(new URL('../bin/noether.mjs', import.meta.url));

/** Runs a line of a shell in which `$N` is the noether command. */
function shell(line: string): { readonly status: number | null; readonly stderr: string } {
  const { PATH, HOME } = process.env;
  return spawnSync('sh', ['-c', line], {
    encoding: 'utf8',
    env: { PATH, HOME, N: `${process.execPath} ${BIN}` },
    timeout: 60_000,
  });
}

describe('an answer that nobody takes', () => {
  it('since its disk is full is a failure that says so', () => {
    const { status, stderr } = shell('$N introspect > /dev/full');
    expect(stderr).toMatch(
      /^noether: the answer cannot be written: ENOSPC.* \[CLI_OUTPUT_FAILED\]\n {2}next: \S.*\n$/u,
    );
    expect(status).toBe(3);
  });

  it('since its reader went away ends the command quietly', () => {
    const { status, stderr } = shell('$N introspect | true; $N nothing 2>&1 | true; $N nothing 2> /dev/full');
    expect(stderr).toBe('');
    expect(status).toBe(1);
  });
});

describe('a word of people', () => {
  const load = () => Promise.reject(new Error('not asked for'));
  const listed = [
    { name: 'resolve', also: ['resolved'], load },
    { name: 'adopt', also: [], load },
    { name: 'kv', load },
  ];

  it.each([
    [
      ['Resolve', 'Task'],
      ['resolve', 'Task'],
    ],
    [
      ['--home', 'Adopt', 'RESOLVED', 'a'],
      ['--home', 'Adopt', 'resolve', 'a'],
    ],
    [['ADOPT'], ['adopt']],
    [['KV'], ['KV']],
    [['resolves'], ['resolves']],
    [['--help'], ['--help']],
    [[], []],
  ])('%j is the command line %j', (argv, meant) => {
    expect(withOwnName(argv, listed)).toEqual(meant);
  });
});

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { probeSandbox } from '@caloron/capabilities/sandbox';
import type { Sandbox } from '@caloron/types';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type Cli, CLIS, install, SPEAKERS } from './clis.ts';
import { createRunner, earlierSessions, type Runner } from './runner.ts';

const USAGE = { input: 100, output: 20, cache_read: 0, cache_write: 0 };
const works = await probeSandbox(process.env['PATH']);

describe.each(Object.values(CLIS) as readonly Cli[])('$framework, the real program in the sandbox', (cli) => {
  let runner: Runner;
  beforeAll(async () => install(cli), 400_000);
  beforeEach(async () => {
    runner = await createRunner(cli);
  });
  afterEach(async () => runner.close());

  function sandbox(): Sandbox {
    const { dir, worktree } = runner;
    const hidden = join(dir, 'kept');
    mkdirSync(hidden, { recursive: true });
    writeFileSync(join(hidden, 'secret'), 'the-secret\n');
    // Where there is none, the test says so by failing: the suite is opted into.
    return {
      program: works.program ?? 'bwrap',
      network: 'host',
      readable: [],
      writable: [worktree],
      hidden: [hidden],
    };
  }

  const through = ['itself', ...(cli.bin in SPEAKERS ? ['the protocol'] : [])];
  it.each(through)(
    'W2 edits, finds its settings, and goes on with its session in a second run, by %s',
    async (how) => {
      const acp =
        how === 'itself' ? {} : { framework: 'acp', options: SPEAKERS[cli.bin as keyof typeof SPEAKERS] };
      const path = join(runner.worktree, 'hello.txt');
      // The user has worked with the program before: its records are there, and none of them is shown or changed.
      await runner.run([{ text: 'The user’s own.', usage: USAGE }]);
      const before = recordsOf(runner.home);
      const first = await runner.run(
        [
          { text: 'I write it.', write: { path, content: 'grüße\n' }, usage: USAGE },
          { text: 'Done.', usage: USAGE },
        ],
        { ...acp, sandbox: sandbox() },
      );
      expect(first.cause, JSON.stringify(first)).toBeNull();
      expect(readFileSync(path, 'utf8')).toBe('grüße\n');

      earlierSessions(join(runner.dir, 'tasks'));
      const session = first.session ?? first.result.session ?? null;
      expect(session).not.toBeNull();
      const second = await runner.run([{ text: 'Two.', usage: USAGE }], {
        ...acp,
        sandbox: sandbox(),
        call: { session, prompt: 'Now the second thing.' },
      });

      expect(second.cause, JSON.stringify(second)).toBeNull();
      const asked = JSON.stringify(runner.model.asked.at(-1)?.body);
      expect(asked).toContain('Write hello.txt: grüße.');
      expect(asked).toContain('Now the second thing.');
      expect(asked).not.toContain('The user’s own.');
      expect(second.result.text.trim()).toBe('Two.');
      expect(recordsOf(runner.home)).toEqual(before);
    },
  );
});

/** Every file below a directory, with its size and the time it was changed. */
function recordsOf(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => `${file} ${statSync(file).size} ${statSync(file).mtimeMs}`)
    .toSorted();
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type Cli, CLIS, install, SPEAKERS } from './clis.ts';
import { type Asked, createRunner, earlierSessions, type Ran, type Runner } from './runner.ts';
import type { Turn } from './turns.ts';

const FIRST = { input: 100, output: 20, cache_read: 0, cache_write: 0 };
const SECOND = { input: 200, output: 40, cache_read: 0, cache_write: 0 };

describe.each([CLIS.opencode, CLIS.gemini] as readonly Cli[])('acp, the real $package $version', (cli) => {
  let runner: Runner;
  beforeAll(async () => install(cli), 400_000);
  beforeEach(async () => {
    runner = await createRunner(cli);
  });
  afterEach(async () => {
    expect(runner.model.unknown).toEqual([]);
    await runner.close();
  });

  const run = async (script: readonly Turn[], asked: Asked = {}): Promise<Ran> =>
    runner.run(script, {
      ...asked,
      framework: 'acp',
      options: { ...SPEAKERS[cli.bin as keyof typeof SPEAKERS], ...asked.options },
    });
  const printed = ({ output }: Ran): string => output.map(([, text]) => text).join('');

  it('edits a file of the worktree, is heard, and its tokens are told', async () => {
    const path = join(runner.worktree, 'hello.txt');
    const ran = await run([
      { text: 'I write it.', write: { path, content: 'grüße\n' }, usage: FIRST },
      { text: 'Done ✓', usage: SECOND },
    ]);

    expect(ran.cause, printed(ran)).toBeNull();
    expect(readFileSync(path, 'utf8')).toBe('grüße\n');
    expect(ran.result.text.replaceAll('\n', '')).toBe('I write it.Done ✓');
    // OpenCode's answer to a prompt tells of its last step alone.
    expect(ran.result.tokens_used).toBe(cli.bin === 'opencode' ? 240 : 360);
    expect(JSON.stringify(runner.model.asked[0]?.body)).toContain('Write hello.txt: grüße.');
    expect(ran.session?.id).toMatch(/^[\w-]{20,}$/);
  });

  it('W2 does not write outside its worktree', async () => {
    const path = join(runner.dir, 'outside.txt');
    const ran = await run([{ write: { path, content: 'evil' } }, { text: 'I went on.' }]);

    expect(ran.cause, printed(ran)).toBeNull();
    expect(existsSync(path)).toBe(false);
  });

  it('A6 asks before it runs a command where it asks at all, and is answered by option allow', async () => {
    const marks = ['refused', 'allowed'].map((name) => join(runner.worktree, name));
    const runs = (mark = ''): readonly Turn[] => [{ run: `touch ${mark}` }, { text: 'I went on.' }];
    const refused = await run(runs(marks[0]));
    const allowed = await run(runs(marks[1]), { options: { allow: 'execute' } });

    expect([refused.cause, allowed.cause]).toEqual([null, null]);
    const asks = printed(refused).includes('permission refused: execute');
    expect(asks, printed(refused)).toBe(cli.bin === 'gemini');
    expect(existsSync(marks[0] ?? '')).toBe(!asks);
    expect(existsSync(marks[1] ?? '')).toBe(true);
  });

  it('A2 goes on with its session after a restart, and says nothing again', async () => {
    const { session } = await run([{ text: 'One.', usage: FIRST }]);
    earlierSessions(runner.dir);
    const ran = await run([{ text: 'Two.', usage: SECOND }], {
      call: { session: session ?? null, prompt: 'Now the second thing.' },
    });

    expect(ran.cause, printed(ran)).toBeNull();
    expect(ran.result.text.trim()).toBe('Two.');
    expect(ran.result.tokens_used).toBe(240);
    const asked = JSON.stringify(runner.model.asked.at(-1)?.body);
    expect(asked).toContain('Write hello.txt: grüße.');
    expect(asked).toContain('Now the second thing.');
  });

  it('A2 fails before it uses anything when its session is gone', async () => {
    const id =
      cli.bin === 'opencode' ? 'ses_11111111111111111111111111' : '11111111-2222-4333-8444-555555555555';
    const { result, cause } = await run([{ text: 'no' }], { call: { session: { id, used: [] } } });

    expect(result).toMatchObject({ code: 1, tokens_used: 0, text: '' });
    expect(cause).toMatchObject({ class: 'crash' });
    expect(runner.model.asked).toEqual([]);
  });

  it.each(['auth', 'billing'] as const)('ends as told when the provider says %s', async (refuse) => {
    const ran = await run([{ refuse }], { options: { patience_ms: '6000' } });

    expect(ran.cause?.class, printed(ran)).toBe(refuse);
    expect(ran.cause?.provider).not.toBeNull();
  });

  it('is ended at its time limit when the model says nothing', async () => {
    const { result, cause } = await run([{ hang: true }], { call: { timeout_ms: 8000 } });

    expect(result).toMatchObject({ code: null, timed_out: true, stopped: false });
    expect(cause).toMatchObject({ class: 'timeout' });
  });

  it('is cancelled by the protocol while the model is silent', async () => {
    const stop = new AbortController();
    const running = run([{ hang: true }], { call: { signal: stop.signal } });
    await expect.poll(() => runner.model.asked.length, { timeout: 30_000 }).toBeGreaterThan(0);
    stop.abort();

    expect((await running).result).toMatchObject({ code: null, stopped: true, timed_out: false });
  });
});

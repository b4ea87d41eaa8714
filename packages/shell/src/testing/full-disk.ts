// A shell and its agent on a disk that becomes full, as one process: prints each answer as a line of JSON. With `limit` as its argument
// no file may be written any more instead, for who may mount nothing.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { codeOf } from '@caloron/noether/errors';
import { openStore } from '@caloron/store';
import { keys, SpawnReply } from '@caloron/types';
import { z } from 'zod';

import { createFixture, eventually, SHELL_TOKEN, spawnOf } from './fixture.ts';

// Where files may not grow, the signal of it would end the process: a full disk sends none.
process.on('SIGXFSZ', () => undefined);

const Body = z.looseObject({});
type Answer = z.infer<typeof Body>;

const limited = process.argv[2] === 'limit';
const say = (what: string, answer: unknown): boolean =>
  process.stdout.write(`${JSON.stringify({ what, answer })}\n`);
const limit = (size: string): unknown =>
  execFileSync('prlimit', [`--fsize=${size}:`, '--pid', String(process.pid)]);

const fixture = await createFixture();
/** A database that nobody has open. */
const alone = (): void =>
  openStore(join(fixture.home, '..', 'alone.db'), { clock: systemClock, uuid: () => 'a' }).close();
alone();
const shell = await fixture.start();
const ask = async (method: 'GET' | 'POST', url: string, payload?: object): Promise<Answer> => {
  const headers = { 'x-caloron-token': SHELL_TOKEN };
  const reply = await shell.app.inject({
    method,
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: reply.statusCode, ...Body.parse(reply.json()) };
};
const fill = join(fixture.home, 'fill');

function fillUp(): void {
  if (limited) {
    limit('1');
    return;
  }
  const fd = openSync(fill, 'w');
  for (let size = 65_536; size >= 1;) {
    try {
      writeSync(fd, Buffer.alloc(size, 7));
    } catch {
      size = Math.floor(size / 16);
    }
  }
  closeSync(fd);
}

try {
  await fixture.kickoff({}, { capacity: { min_disk_mb: 0 }, isolation: { sandbox: 'off' } });
  await fixture.store.kv.put(keys.activeSprint, {
    sprint_id: 's1',
    repo: 'acme/widgets',
    stall_threshold_m: 20,
  });
  const instruction = JSON.stringify({ wait: true, write: { 'half.txt': 'half' } });
  const { status: _, ...started } = await ask('POST', '/spawn', spawnOf({ instruction }));
  const agent = SpawnReply.parse(started);
  await fixture.seen(agent.process_id);
  const stop = (): Promise<Answer> => ask('POST', '/stop', { process_id: agent.process_id, grace_ms: 2000 });
  const cli = (command: string): string => {
    const bin = join(import.meta.dirname, '../../../cli/bin/caloron.mjs');
    const env = { ...process.env, CALORON_FORGE_TOKEN: 'x', CALORON_LLM_PROVIDER: 'none' };
    return execFileSync(process.execPath, [bin, command, '--home', fixture.home], { env, encoding: 'utf8' });
  };

  fillUp();
  if (!limited) say('free', statfsSync(fixture.home).bfree);
  try {
    alone();
  } catch (error) {
    say('alone', codeOf(error));
  }
  say('stop', await stop());
  say('health', await ask('GET', '/health'));
  say('spawn', await ask('POST', '/spawn', spawnOf({ task_id: 't2' })));
  say('cleanup', await ask('POST', '/cleanup', { sprint_id: 's1', task_id: 't1', merge_sha: null }));
  say('work', existsSync(join(agent.worktree, 'half.txt')));
  if (!limited) say('caloron status', cli('status'));
  if (limited) limit('unlimited');
  else rmSync(fill);
  await eventually(() => fixture.store.processes.get(agent.process_id)?.state === 'exited');
  say('stop with space', await stop());
  say(
    'events',
    fixture.store.events.read({ after: 0, kinds: ['agent_exited'] }).map(({ payload }) => payload),
  );
  say(
    'spawn with space',
    await ask('POST', '/spawn', spawnOf({ task_id: 't2', instruction: '{"wait":true}' })),
  );
} finally {
  await fixture.close();
}

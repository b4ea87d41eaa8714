import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { runs, statOf } from '@caloron/capabilities/process-identity';
import { afterEach, expect, it, vi } from 'vitest';

import { killAll } from './signals.ts';

afterEach(() => vi.restoreAllMocks());

it('a process that may not be signalled keeps no other from being ended', async () => {
  const child = spawn('sleep', ['600']);
  const ended = once(child, 'exit');
  const forbidden = 2 ** 22 + 1;
  const kill = process.kill.bind(process);
  vi.spyOn(process, 'kill').mockImplementation((pid, name) => {
    if (pid === forbidden) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    return kill(pid, name);
  });
  let looks = 0;
  const members = () => (looks++ === 0 ? [{ pid: forbidden }, { pid: child.pid! }] : []);
  try {
    expect(await killAll(members)).toBe(true);
    expect((await ended)[1]).toBe('SIGKILL');
  } finally {
    child.kill('SIGKILL');
  }
});

it('W12 who goes on as another process, which was not there at the first look, is ended too', async () => {
  const [first, second] = [spawn('sleep', ['600']), spawn('sleep', ['600'])];
  const living = (child: typeof first) => {
    const stat = statOf(child.pid!);
    return stat !== undefined && runs(stat) ? [stat] : [];
  };
  const members = () => (living(first).length > 0 ? living(first) : living(second));
  try {
    expect(await killAll(members)).toBe(true);
    expect(members()).toEqual([]);
  } finally {
    for (const child of [first, second]) child.kill('SIGKILL');
  }
});

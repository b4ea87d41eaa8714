import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { bootId, isAlive, pidNamespace, statOf, taggedProcesses } from './process-identity.ts';

const here = { boot_id: bootId(), pid_ns: pidNamespace() };

describe('a process', () => {
  it('is itself: same pid, start, boot and namespace', () => {
    const { start_ticks } = statOf(process.pid) ?? { start_ticks: null };
    const me = { pid: process.pid, start_ticks, ...here };

    expect(isAlive(me)).toBe(true);
    expect(isAlive({ ...me, start_ticks: '1' })).toBe(false);
    expect(isAlive({ ...me, start_ticks: null })).toBe(false);
    expect(isAlive({ ...me, boot_id: 'before' })).toBe(false);
    expect(isAlive({ ...me, pid_ns: 'pid:[1]' })).toBe(false);
    expect(isAlive({ ...me, pid: null })).toBe(false);
  });

  it('whose name holds spaces and parentheses is read right', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'caloron-name-'));
    const program = join(dir, 'a) Z 1 (b');
    copyFileSync('/bin/sleep', program);
    const child = spawn(program, ['60'], { detached: true, stdio: 'ignore' });
    try {
      await once(child, 'spawn');

      expect(statOf(child.pid ?? 0)).toMatchObject({
        pid: child.pid,
        pgid: child.pid,
        state: expect.stringMatching(/[RSD]/),
      });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(dir, { recursive: true });
    }
  });

  it('that ended and was not asked for yet is dead', async () => {
    // The inner process ends when it is told to; its parent, a plain sleep by then, never asks for it.
    const parent = spawn(
      'sh',
      ['-c', 'CALORON_PROCESS_ID=zombie-test sh -c "read line <&3" & echo $!; exec sleep 60'],
      {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      },
    );
    try {
      const [line] = (await once(parent.stdout as Readable, 'data')) as [Buffer];
      const pid = Number(line.toString().trim());
      const command = (): string => readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim();
      await expect.poll(command, { timeout: 30_000 }).toBe('sleep');
      (parent.stdio[3] as Writable).end('\n');
      await expect.poll(() => statOf(pid)?.state, { timeout: 30_000 }).toBe('Z');

      expect(isAlive({ pid, start_ticks: statOf(pid)?.start_ticks ?? null, ...here })).toBe(false);
      expect(taggedProcesses(new Set(['zombie-test']))).toEqual([]);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('is found by the tag in its environment, exactly', async () => {
    const child = spawn('sleep', ['60'], { env: { CALORON_PROCESS_ID: 'tag-test-1' }, stdio: 'ignore' });
    try {
      await once(child, 'spawn');

      await expect
        .poll(() => taggedProcesses(new Set(['tag-test-1', 'other'])))
        .toMatchObject([{ pid: child.pid, process_id: 'tag-test-1' }]);
      expect(taggedProcesses(new Set(['tag-test']))).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

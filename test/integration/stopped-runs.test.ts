import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { groupMembers } from '@caloron/capabilities/process-identity';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { BINS, environment, temporaryDirectory, writeText } from '../support/bins.ts';

const GRAPH = {
  description: 'runs a program with a child',
  version: '0.1.0',
  root: {
    op: 'Stage',
    id: 'run_command',
    config: { cmd: 'sh', args: ['-c', 'sleep 300 & echo $$ > group; wait'] },
  },
};

describe('a run that is stopped', () => {
  let dir: string;
  let group: number | undefined;
  beforeEach(() => {
    dir = temporaryDirectory();
    group = undefined;
    writeText(join(dir, '.caloron/keep'), '');
    writeText(join(dir, 'graph.json'), JSON.stringify(GRAPH));
  });
  afterEach(() => {
    if (group !== undefined && groupMembers(group).length > 0) process.kill(-group, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s leaves no program behind', async (name) => {
    const child = execa(process.execPath, [BINS.noether, 'run', 'graph.json', '--home', '.'], {
      cwd: dir,
      env: environment({}),
      extendEnv: false,
      reject: false,
    });
    try {
      await vi.waitFor(
        () => {
          const [pid] = /\d+/u.exec(readFileSync(join(dir, 'group'), 'utf8')) ?? [];
          expect(pid).toBeDefined();
          group = Number(pid);
          expect(groupMembers(group)).toHaveLength(2);
        },
        { timeout: 30_000 },
      );
      child.kill(name);

      expect((await child).exitCode).toBe(130);
      await vi.waitFor(() => expect(group !== undefined && groupMembers(group)).toEqual([]), {
        timeout: 30_000,
      });
    } finally {
      child.kill('SIGKILL');
    }
  });
});

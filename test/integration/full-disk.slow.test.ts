import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { expect, it } from 'vitest';
import { z } from 'zod';

import { ROOT } from '../support/tree.ts';

const SCRIPT = join(ROOT, 'packages/shell/src/testing/full-disk.ts');
const Line = z.object({ what: z.string(), answer: z.unknown() });

/** Runs it on a disk of its own where one may be mounted; else under a limit that lets no file grow. */
async function onFullDisk(dir: string, limited: boolean): Promise<ReadonlyMap<string, unknown>> {
  const mounted = `mount -t tmpfs -o size=12m none "$TMPDIR" && exec "$0" "$1"`;
  const [command, args] = limited
    ? [process.execPath, [SCRIPT, 'limit']]
    : ['unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', mounted, process.execPath, SCRIPT]];
  const env = { TMPDIR: dir, NODE_COMPILE_CACHE: '' };
  const { stdout, stderr, exitCode } = await execa(command, args, { env, reject: false, timeout: 120_000 });
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0);
  const lines = stdout.split('\n').map((line) => Line.parse(JSON.parse(line)));
  return new Map(lines.map(({ what, answer }) => [what, answer]));
}

const mayMount = async (dir: string): Promise<boolean> => {
  const args = ['--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'none', dir];
  return (await execa('unshare', args, { reject: false })).exitCode === 0;
};

it.each(['a disk that is full', 'files that may not grow'])(
  'with %s a shell refuses in plain words, deletes nothing, and goes on once there is space',
  async (what) => {
    const dir = mkdtempSync(join(tmpdir(), 'caloron-full-'));
    try {
      const limited = what !== 'a disk that is full' || !(await mayMount(dir));

      const said = await onFullDisk(dir, limited);

      const refused = { status: limited ? expect.any(Number) : 503, ok: false };
      const full = limited ? {} : { code: 'STORE_FULL', error: expect.stringContaining('the disk is full') };
      for (const act of ['stop', 'spawn', 'cleanup'])
        expect(said.get(act), act).toMatchObject({ ...refused, ...full });
      expect(said.get('health')).toMatchObject({ status: 200 });
      expect(said.get('work')).toBe(true);
      if (!limited) expect(said.get('caloron status')).toContain('t1');
      if (!limited) expect(said.get('alone')).toBe('STORE_FULL');
      expect(said.get('stop with space')).toMatchObject({ status: 200, ok: true });
      expect(said.get('events')).toMatchObject([{ wip_ref: 'refs/caloron/wip/s1/t1/1' }]);
      if (!limited) expect(JSON.stringify(said.get('events'))).toContain('ENOSPC');
      expect(said.get('spawn with space')).toMatchObject({ status: 200 });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createSystemd, type Systemd, type SystemdDeps } from './systemd.ts';

let dir: string;
let undo: (() => void)[];
let warnings: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-systemd-'));
  undo = [];
  warnings = [];
  const program = join(dir, 'systemd-notify');
  // A line per call: the socket, and what is said.
  writeFileSync(
    program,
    `#!/bin/sh\nprintf '%s' "$NOTIFY_SOCKET" >> '${dir}/said'\nprintf ' %s' "$@" >> '${dir}/said'\necho >> '${dir}/said'\n`,
  );
  chmodSync(program, 0o755);
});

afterEach(() => {
  for (const step of undo.reverse()) step();
  rmSync(dir, { recursive: true, force: true });
});

const said = (): readonly string[] => {
  try {
    return readFileSync(join(dir, 'said'), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};

function systemd(more: Partial<SystemdDeps> = {}): Systemd {
  const made = createSystemd({
    variables: { NOTIFY_SOCKET: '/run/systemd/notify', PATH: process.env['PATH'] },
    pid: 7,
    healthy: () => Promise.resolve(true),
    warn: (_facts, message) => warnings.push(message),
    program: join(dir, 'systemd-notify'),
    ...more,
  });
  undo.push(() => made.close());
  return made;
}

describe('systemd', () => {
  it('is told that the service is ready and that it ends', async () => {
    const made = systemd();
    await made.ready('2 jobs');
    await made.stopping();
    expect(said()).toEqual(['/run/systemd/notify --ready --status=2 jobs', '/run/systemd/notify STOPPING=1']);
  });

  it('is given signs of life within its period while the service is well, and none while it is not', async () => {
    let well = true;
    const made = systemd({
      variables: {
        NOTIFY_SOCKET: 's',
        WATCHDOG_USEC: '100000',
        WATCHDOG_PID: '7',
        PATH: process.env['PATH'],
      },
      healthy: () => Promise.resolve(well),
    });
    await made.ready('');
    await vi.waitFor(
      () => expect(said().filter((line) => line === 's WATCHDOG=1').length).toBeGreaterThan(2),
      30_000,
    );
    well = false;
    await vi.waitFor(() => expect(warnings.join()).toContain('no sign of life'), 30_000);
    made.close();
  });

  it('is given no sign of life where it wants none, or wants it of another process', async () => {
    for (const WATCHDOG_PID of [undefined, '8']) {
      const made = systemd({
        variables: {
          NOTIFY_SOCKET: 's',
          WATCHDOG_USEC: WATCHDOG_PID === undefined ? undefined : '20000',
          WATCHDOG_PID,
          PATH: process.env['PATH'],
        },
      });
      await made.ready('');
      await made.stopping();
    }
    expect(said().filter((line) => line.includes('WATCHDOG'))).toEqual([]);
  });

  it('is told nothing where it did not start the process', async () => {
    const made = systemd({ variables: { PATH: process.env['PATH'] } });
    await made.ready('');
    await made.stopping();
    expect(said()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('that cannot be told fails nothing, and a warning says so', async () => {
    const made = systemd({ program: join(dir, 'missing') });
    await made.ready('');
    expect(warnings).toEqual(['systemd could not be told']);
  });
});

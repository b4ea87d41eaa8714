import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { environment, must, serve, type Serving, temporaryDirectory, writeText } from '../support/bins.ts';
import { textOf } from '../support/tree.ts';

/** Listens as systemd does, on a socket of datagrams in the file system, which Node has not; git brings perl along. */
const LISTENER = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($s, sockaddr_un($ARGV[0])) or die $!; print "listening\\n";
while (defined recv($s, my $m, 4096, 0)) { print "$m\\n"; }`;

/** systemd-notify, where a machine has none. */
const NOTIFY = `#!/usr/bin/env perl
use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
my @said = map { s/^--ready$/READY=1/r =~ s/^--status=/STATUS=/r } @ARGV;
send($s, join("\\n", @said), 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!;`;

/** The arguments the unit gives a bin, over another home and a free port. */
function lineOf(key: string, bin: string, home: string): readonly string[] {
  const unit = textOf('deploy/systemd/noether-scheduler.service');
  const [, args = ''] = new RegExp(`^${key}=/usr/bin/env ${bin} (.+)$`, 'm').exec(unit) ?? [];
  return args
    .replaceAll('/var/lib/caloron', home)
    .replace(/--port \d+/, '--port 0')
    .split(' ');
}

const WITHIN = { timeout: 30_000 };

describe('the scheduler under systemd', () => {
  let dir: string;
  let scheduler: Serving | undefined;
  let heard: string[];
  let stopListening: () => Promise<unknown>;

  beforeEach(async () => {
    dir = temporaryDirectory();
    scheduler = undefined;
    heard = [];
    const socket = execa('perl', ['-e', LISTENER, join(dir, 'notify')], { reject: false });
    stopListening = () => {
      socket.kill('SIGKILL');
      return socket;
    };
    socket.stdout.on('data', (chunk: Buffer) => heard.push(...chunk.toString().trim().split('\n')));
    await vi.waitFor(() => expect(heard).toEqual(['listening']), WITHIN);
  });
  afterEach(async () => {
    await scheduler?.stop();
    await stopListening();
    rmSync(dir, { recursive: true, force: true });
  });

  it('started by the line of its unit says that it is ready, that it lives, and that it ends', async () => {
    writeText(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [] }));
    writeText(join(dir, 'bin/systemd-notify'), NOTIFY);
    chmodSync(join(dir, 'bin/systemd-notify'), 0o755);
    const env = environment({ NOTIFY_SOCKET: join(dir, 'notify'), WATCHDOG_USEC: '2000000' });
    const own = existsSync('/usr/bin/systemd-notify') ? '' : `${join(dir, 'bin')}:`;

    await must('noether', lineOf('ExecStartPre', 'noether', dir), { cwd: dir });
    scheduler = await serve('noether-scheduler', lineOf('ExecStart', 'noether-scheduler', dir), {
      cwd: dir,
      env: { ...env, PATH: `${own}${env['PATH'] ?? ''}` },
    });

    await vi.waitFor(() => expect(heard).toContain('READY=1'), WITHIN);
    await vi.waitFor(() => expect(heard).toContain(`STATUS=0 jobs, ${scheduler?.url ?? ''}`), WITHIN);
    await vi.waitFor(() => expect(heard).toContain('WATCHDOG=1'), WITHIN);
    expect(heard).not.toContain('STOPPING=1');
    const code = await scheduler.stop();
    scheduler = undefined;
    expect(code).toBe(0);
    await vi.waitFor(() => expect(heard).toContain('STOPPING=1'), WITHIN);
  });
});

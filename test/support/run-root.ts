import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type Found, processesOf } from './processes.ts';

/** Milliseconds a process has to end that was asked to while the last test ended. */
const GRACE_MS = 30_000;

/** TMPDIR of this run, and the variable as it was. */
let root = '';
let before: string | undefined;

/**
 * One directory below the system's temporary one is TMPDIR for a run of the tests and all they start, and is gone when it ends:
 * nothing a test or a killed process leaves stays.
 */
export function setup(): void {
  before = process.env['TMPDIR'];
  // Short: what tests lay in it may be sockets, whose paths have at most 108 bytes.
  root = mkdtempSync(join(realpathSync(tmpdir()), 'cal-'));
  // Some tests look at files as another user.
  chmodSync(root, 0o711);
  process.env['TMPDIR'] = root;
  process.on('exit', sweep);
  process.once('SIGTERM', end);
}

/** A run that is interrupted comes to no teardown. */
function sweep(): void {
  killAll(processesOf(root));
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}

function end(): never {
  process.exit(143);
}

/** Removes the directory. A process that still names it when the last test is over was left running: it is killed, and the run fails. */
export async function teardown(): Promise<void> {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  process.off('exit', sweep);
  process.off('SIGTERM', end);
  const left = await leftRunning();
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
  if (left.length === 0) return;
  const lines = left.map(({ pid, command }) => `  ${pid} ${command}`);
  throw new Error(`left running by the tests, and killed:\n${lines.join('\n')}`);
}

/** Processes of the run that do not end by themselves; kills them. */
async function leftRunning(): Promise<readonly Found[]> {
  // Its own children are those that run the test files, and live until it ends.
  const find = (): readonly Found[] => processesOf(root).filter(({ parent }) => parent !== process.pid);
  const deadline = performance.now() + GRACE_MS;
  let left = find();
  while (left.length > 0 && performance.now() < deadline) {
    await delay(50);
    left = find();
  }
  // One that is killed may have started another a moment before.
  for (let round = 0; round < 3; round += 1) killAll(find());
  return left;
}

function killAll(found: readonly Found[]): void {
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended between the look and the kill.
    }
  }
}

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

import { statOf } from './process-identity.ts';

/** What is run, where, and with which environment: nothing of the shell's own is added. */
export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Gets stdout and stderr, appended. */
  readonly output_file: string;
}

/** A process that was started; it outlives this one. */
export interface Launched {
  readonly pid: number;
  readonly start_ticks: string | null;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** Starts a process in a session and group of its own, its output going to a file. Rejects with the system's reason. */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const output = openSync(options.output_file, 'a', 0o600);
  try {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: ['ignore', output, output],
    });
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    // Read before the event loop turns: until then even a process that ended at once can be seen.
    const start_ticks = child.pid === undefined ? null : (statOf(child.pid)?.start_ticks ?? null);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    // Signalling reports later faults here; the process itself is followed through `exited`.
    child.on('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new Error('the system gave no pid');
    return { pid: child.pid, start_ticks, exited };
  } finally {
    closeSync(output);
  }
}

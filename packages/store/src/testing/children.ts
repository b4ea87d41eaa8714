import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A child that runs one of the scripts here; its lines of stdout so far. */
export interface Child {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  /** Resolves with the exit code, null when it was killed. */
  readonly ended: Promise<number | null>;
  /** Resolves when a line like this was printed; rejects when the child ends without one. */
  printed(line: string): Promise<void>;
}

const started = new Set<ChildProcess>();

/** Starts a script of this folder. */
export function startChild(script: string, args: readonly string[]): Child {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    for (const listener of listeners) listener();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const printed = (line: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (!lines.includes(line)) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      look();
      void ended.then(() =>
        reject(new Error(`the child ended without printing ${line}; it printed ${lines.join(' | ')}`)),
      );
    });
  return { process: child, lines, ended, printed };
}

/** Ends every child that still runs. */
export async function endChildren(): Promise<void> {
  for (const child of started) {
    if (child.exitCode === null && child.signalCode === null) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await closed;
    }
  }
  started.clear();
}

import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

import { type Clock, epochMs, type ProcessHost, type ProcessName, type ProcessOrder } from '@caloron/types';

import { type Launched, launch } from '../launch.ts';
import { bootId, isAlive, pidNamespace } from '../process-identity.ts';
import { randomToken } from '../random.ts';
import { FileError, ProcessError } from './errors.ts';
import { codeOf, type Folders } from './folders.ts';
import { createProcessRecords, type ProcessRecord } from './process-records.ts';
import { runProgram } from './run-program.ts';

/** What starting processes needs. */
export interface ProcessDeps {
  readonly folders: Folders;
  /** Where records and outputs of started processes lie. Absolute. */
  readonly dir: string;
  /** The variables every program sees beside those an order gives. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** How often a process is looked at that may have ended, in milliseconds. */
const LOOK_MS = 50;

interface Followed extends Launched {
  ended: { readonly code: number | null } | undefined;
}

/** Sends a signal; false when nobody is left to get it. */
function send(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

function signalNamed(name: string): NodeJS.Signals {
  const full = `SIG${name.toUpperCase().replace(/^SIG/, '')}`;
  if (!Object.hasOwn(constants.signals, full))
    throw new ProcessError('PROCESS_SIGNAL_UNKNOWN', { signal: name });
  return full as NodeJS.Signals;
}

/** Programs run and processes started here. A pid alone is never trusted: start time, boot and namespace have to be those recorded. */
export function createProcesses({ folders, dir, env, clock }: ProcessDeps): ProcessHost {
  const records = createProcessRecords(dir);
  const children = new Map<number, Followed>();

  /** A child that was not waited for keeps its pid to itself; any other process is known by its start. */
  const alive = (record: ProcessRecord): boolean => {
    const child = children.get(record.pid);
    if (child !== undefined && child.start_ticks === record.start_ticks) return child.ended === undefined;
    return isAlive(record);
  };

  const known = async ({ pid, started_at }: ProcessName): Promise<ProcessRecord> => {
    const record = await records.read(pid);
    if (record === undefined)
      throw new ProcessError('PROCESS_UNKNOWN', { pid, reason: 'it was not started here' });
    if (started_at !== null && started_at !== record.started_at) {
      const reason = `the process of that pid was started at ${record.started_at}, not at ${started_at}`;
      throw new ProcessError('PROCESS_UNKNOWN', { pid, reason });
    }
    return record;
  };

  const placed = async ({ cmd, cwd }: ProcessOrder): Promise<string> => {
    try {
      return await folders.resolve(cwd ?? '.', 'read');
    } catch (cause) {
      if (!(cause instanceof FileError)) throw cause;
      const reason = cause.message;
      throw new ProcessError('PROCESS_FOLDER_REFUSED', { cmd, cwd: cwd ?? '.', reason });
    }
  };
  const seen = (order: ProcessOrder): Record<string, string> => ({ ...env, ...order.env });

  return {
    run: async (order) => runProgram({ ...order, cwd: await placed(order), env: seen(order) }),

    async spawn(order) {
      const { cmd, args } = order;
      const cwd = await placed(order);
      const now = epochMs(clock.now());
      await records.prepare(now, alive);
      const output_path = records.outputPath(`${now}-${randomToken(6)}`);
      let launched: Launched;
      try {
        launched = await launch({ command: cmd, args, cwd, env: seen(order), output_file: output_path });
      } catch (cause) {
        throw new ProcessError('PROCESS_START_FAILED', { cmd, reason: codeOf(cause) });
      }
      const { pid, start_ticks } = launched;
      const child: Followed = { ...launched, ended: undefined };
      children.set(pid, child);
      void launched.exited.then(({ code }) => {
        child.ended = { code };
      });
      const started_at = Math.floor(now / 1000);
      const here = { boot_id: bootId(), pid_ns: pidNamespace() };
      try {
        await records.write({ pid, start_ticks, ...here, started_at, output_path });
      } catch (error) {
        // A process no record names could not be ended by anyone.
        send(-pid, 'SIGKILL');
        throw error;
      }
      return { pid, started_at, output_path };
    },

    async wait(name, timeout_ms, signal) {
      const record = await known(name);
      const deadline = performance.now() + timeout_ms;
      for (;;) {
        signal?.throwIfAborted();
        if (!alive(record)) return { exited: true, exit_code: children.get(record.pid)?.ended?.code ?? null };
        const left = deadline - performance.now();
        if (left <= 0) return { exited: false, exit_code: null };
        await delay(Math.min(LOOK_MS, left));
      }
    },

    async signal(name, word) {
      const wanted = signalNamed(word);
      const record = await known(name);
      return alive(record) && send(record.pid, wanted);
    },

    async kill(name) {
      const record = await known(name);
      if (!alive(record)) return false;
      // Its group first, while it certainly is the group's leader.
      return send(-record.pid, 'SIGKILL');
    },
  };
}

import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { CliError } from './errors.ts';
import { PACKAGES_ROOT } from './product.ts';

/** A process that is not ready after this many milliseconds has failed. */
const READY_TIMEOUT_MS = 30_000;
/** A process that ignores SIGTERM this long is killed. */
const STOP_TIMEOUT_MS = 15_000;
/** A log of so many bytes is put aside at the next start, in place of the one before it. */
const LOG_MAX = 16_777_216;

/** One of the product's processes as it was started. */
export const Service = z.strictObject({
  name: z.string(),
  pid: z.number().int(),
  url: z.string(),
  log: z.string(),
});
export type Service = z.infer<typeof Service>;

const Ready = z.object({ ready: z.literal(true), url: z.string(), pid: z.number().int() });

/** Which process to start and how. */
export interface ServiceOrder {
  readonly name: 'caloron-forge' | 'caloron-shell' | 'noether-scheduler';
  readonly args: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly log_dir: string;
  /** Ends the waiting, and the process with it. */
  readonly signal?: AbortSignal;
}

const PACKAGES = {
  'caloron-forge': 'forge',
  'caloron-shell': 'shell',
  'noether-scheduler': 'scheduler',
} as const;

/** Path of one of the product's bins. */
export function binPath(name: ServiceOrder['name']): string {
  return join(PACKAGES_ROOT, PACKAGES[name], 'bin', `${name}.mjs`);
}

/** Starts a process in a group of its own and waits for its ready line; its log goes to a file. Throws CLI_SERVICE_FAILED. */
export async function startService(
  { name, args, env, cwd, log_dir, signal }: ServiceOrder,
  script: string = binPath(name),
): Promise<Service> {
  mkdirSync(log_dir, { recursive: true });
  const log = join(log_dir, `${name}.log`);
  const ready_file = join(log_dir, `${name}.ready`);
  writeFileSync(ready_file, '');
  const begun = beginLog(log);
  const out = openSync(ready_file, 'w');
  const err = openSync(log, 'a');
  const child = spawn(process.execPath, [script, ...args], {
    cwd,
    env: { ...env },
    detached: true,
    stdio: ['ignore', out, err],
  });
  closeSync(out);
  closeSync(err);
  child.unref();
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', () => {
    ended = true;
  });

  const failed = (reason: string): CliError =>
    new CliError(
      'CLI_SERVICE_FAILED',
      { service: name, reason: saidSince(log, begun, name) ?? reason, log },
      { hint: `tail ${log}` },
    );
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const line = readFileSync(ready_file, 'utf8')
      .split('\n')
      .find((text) => text.startsWith('{'));
    const ready = line === undefined ? undefined : Ready.safeParse(JSON.parse(line));
    if (ready?.success === true) return { name, pid: ready.data.pid, url: ready.data.url, log };
    if (ended) throw failed('it ended at once');
    if (signal?.aborted === true) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  signal?.throwIfAborted();
  throw failed(`no ready line within ${READY_TIMEOUT_MS / 1000} s`);
}

/** Where the log of a process goes on; one that has grown large becomes NAME.log.1. */
function beginLog(log: string): number {
  const size = existsSync(log) ? statSync(log).size : 0;
  if (size < LOG_MAX) return size;
  renameSync(log, `${log}.1`);
  return 0;
}

/** What a process told people in its log, JSON lines left out: why it did not start. */
function saidSince(log: string, begun: number, name: string): string | undefined {
  const text = readFileSync(log).subarray(begun).toString();
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('{'));
  const said = lines.map((line) => line.trim().replace(`${name}: `, ''));
  return said.length === 0 ? undefined : said.slice(0, 3).join('; ');
}

/** True while the process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already: what was asked is true.
  }
}

/** Ends a service: SIGTERM to its group, SIGKILL after a grace; returns when it is gone. */
export async function stopService(service: Service): Promise<void> {
  signalGroup(service.pid, 'SIGTERM');
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (isAlive(service.pid)) {
    if (performance.now() > deadline) signalGroup(service.pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const servicesFile = (home: string): string => join(home, '.caloron', 'services.json');

/** Remembers what runs for a home, so that `caloron down` finds it. */
export function rememberServices(home: string, services: readonly Service[]): void {
  mkdirSync(join(home, '.caloron'), { recursive: true });
  writeFileSync(servicesFile(home), `${JSON.stringify(services, null, 2)}\n`);
}

/** What runs for a home: those remembered that are alive and are what they were started as. */
export function knownServices(home: string): readonly Service[] {
  try {
    const services = z.array(Service).parse(JSON.parse(readFileSync(servicesFile(home), 'utf8')));
    return services.filter(({ pid, name }) => isAlive(pid) && commandOf(pid).includes(name));
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Forgets them again. */
export function forgetServices(home: string): void {
  rmSync(servicesFile(home), { force: true });
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';

import { messageOf } from '@caloron/noether/errors';
import { z } from 'zod';

import { checkCron } from './cron.ts';
import { SchedulerError, unreadable } from './errors.ts';

const url = z.url({ protocol: /^https?$/, error: 'expected an http or https address' });

/** One job as the file states it. */
const Job = z.strictObject({
  name: z.string().min(1, 'expected a name'),
  cron: z.string(),
  graph: z.string().min(1, 'expected the path of a graph'),
  input: z.json().optional(),
  input_from: z
    .string()
    .regex(/^kv:.+/, 'expected kv:KEY, e.g. kv:caloron:active_sprint')
    .optional(),
  webhook: url.optional(),
  on: z.array(z.string().min(1)).optional(),
  timezone: z.string().optional(),
  timeout_s: z.number().positive().optional(),
  enabled: z.boolean().optional(),
});

/** The file as it is written; JSON Schemas are made of it. */
export const SchedulerFile = z.strictObject({
  $schema: z.string().optional(),
  scheduler_id: z.string().min(1).optional(),
  store_path: z.string().min(1).optional(),
  registry_url: url.optional(),
  registry_api_key: z.string().optional(),
  jobs: z.array(Job),
});

/** One job, fully resolved. */
export interface JobConfig {
  readonly name: string;
  /** Five fields: minute, hour, day of month, month, weekday. */
  readonly cron: string;
  /** Absolute path of the graph. */
  readonly graph: string;
  readonly input: unknown;
  /** KV key whose value is the input; null when the input is static. */
  readonly input_key: string | null;
  readonly webhook: string | null;
  /** Event kinds that fire the job at once. */
  readonly on: readonly string[];
  /** IANA zone; null is the process's local one. */
  readonly timezone: string | null;
  readonly timeout_s: number | null;
  readonly enabled: boolean;
}

/** A scheduler's whole configuration. */
export interface SchedulerConfig {
  readonly path: string;
  readonly scheduler_id: string;
  /** Absolute path of the stage store. */
  readonly store_path: string;
  readonly jobs: readonly JobConfig[];
  /** What a person should look at, though it runs. */
  readonly warnings: readonly string[];
}

function parseJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SchedulerError(
      'SCHEDULER_CONFIG_MISSING',
      { path, reason: unreadable(error) },
      {
        cause: error,
        hint: './caloron init --repo owner/name writes one; --config PATH names another, counted from the working directory',
      },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new SchedulerError(
      'SCHEDULER_CONFIG_INVALID',
      { path, problems: [messageOf(error)] },
      { cause: error },
    );
  }
}

function place(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (at, key) =>
      typeof key === 'number' ? `${at}[${key}]` : at === '' ? String(key) : `${at}.${String(key)}`,
    '',
  );
}

function issuesOf(error: z.ZodError): readonly string[] {
  return error.issues.map((issue) => `${place(issue.path) || 'the file'}: ${issue.message}`);
}

function findPath(given: string, folder: string, cwd: string, warn: (text: string) => void): string {
  if (isAbsolute(given)) return given;
  const here = resolve(cwd, given);
  const beside = resolve(folder, given);
  if (here === beside) return here;
  if (existsSync(here)) {
    if (existsSync(beside))
      warn(`${given} exists in the working directory and beside the config; the working directory's is used`);
    return here;
  }
  return existsSync(beside) ? beside : here;
}

/** Reads and resolves a scheduler config; throws SCHEDULER_CONFIG_MISSING or SCHEDULER_CONFIG_INVALID with every problem at once. */
export function readConfig(path: string, cwd: string): SchedulerConfig {
  const file = resolve(cwd, path);
  const folder = dirname(file);
  const parsed = SchedulerFile.safeParse(parseJson(file));
  if (!parsed.success)
    throw new SchedulerError('SCHEDULER_CONFIG_INVALID', { path: file, problems: issuesOf(parsed.error) });

  const { jobs, store_path, registry_url, scheduler_id } = parsed.data;
  const problems: string[] = [];
  const warnings: string[] = [];
  if (store_path !== undefined && registry_url !== undefined)
    problems.push('store_path, registry_url: expected exactly one of them');
  if (registry_url !== undefined)
    problems.push('registry_url: a remote registry cannot be read yet; use store_path');
  const names = new Set<string>();
  jobs.forEach((job, index) => {
    const at = `jobs[${index}]`;
    if (names.has(job.name)) problems.push(`${at}.name: another job is called ${job.name}`);
    names.add(job.name);
    const cron = checkCron(job.cron, job.timezone ?? null);
    if (cron !== null) problems.push(`${at}.cron: ${cron}`);
    if (job.input !== undefined && job.input_from !== undefined)
      problems.push(`${at}: expected input or input_from, not both`);
  });
  if (problems.length > 0) throw new SchedulerError('SCHEDULER_CONFIG_INVALID', { path: file, problems });

  const warn = (text: string): void => void warnings.push(text);
  return Object.freeze({
    path: file,
    scheduler_id: scheduler_id ?? 'default',
    store_path: findPath(store_path ?? '.noether/store.json', folder, cwd, warn),
    jobs: jobs.map((job) => ({
      name: job.name,
      cron: job.cron,
      graph: findPath(job.graph, folder, cwd, warn),
      input: job.input ?? null,
      input_key: job.input_from?.slice('kv:'.length) ?? null,
      webhook: job.webhook ?? null,
      on: job.on ?? [],
      timezone: job.timezone ?? null,
      timeout_s: job.timeout_s ?? null,
      enabled: job.enabled ?? true,
    })),
    warnings,
  });
}

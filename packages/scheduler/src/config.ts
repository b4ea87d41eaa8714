import { existsSync, statSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';

import { shellWord } from '@caloron/types';
import { z } from 'zod';

import { fieldsOf, invalidConfig, jobsOf, readConfigValue } from './config-text.ts';
import { cronProblems, isZone } from './cron.ts';
import { addressProblem, isKey } from './registry/address.ts';
import { fieldsAt, meant } from './schema-problems.ts';
import { meantIssues, type WebhookConfig, WebhookField, webhookOf } from './webhook-config.ts';

const url = z.url({ protocol: /^https?$/, error: 'expected an http or https address' });

/** What a timer takes, 24.8 days, in whole seconds. */
const LONGEST_TIMEOUT_S = 2_147_483;
const DAY_S = 24 * 60 * 60;

/** Bits of a file's mode that let others than its owner read it. */
const OTHERS_READ = 0o044;

/** A name stands in every line of the log and of `--check`, and in labels of metrics. */
const LONGEST_NAME = 200;
/** A process of more jobs would be late for all of them. */
export const MOST_JOBS = 10_000;

/** One job as the file states it. */
const Job = z.strictObject({
  name: z
    .string()
    .regex(/\S/, 'expected a name')
    .max(LONGEST_NAME, `expected at most ${LONGEST_NAME} characters`)
    .regex(/^\P{Cc}*$/u, 'expected a name of one line, without control characters'),
  cron: z.string().superRefine((expression, context) => {
    for (const message of cronProblems(expression)) context.addIssue({ code: 'custom', message });
  }),
  graph: z.string().min(1, 'expected the path of a graph'),
  input: z.json().optional(),
  input_from: z
    .string()
    .regex(/^kv:.+/, 'expected kv:KEY, e.g. kv:caloron:active_sprint')
    .optional(),
  webhook: WebhookField.optional(),
  on: z.array(z.string().min(1)).optional(),
  timezone: z.string().refine(isZone, 'expected an IANA zone like Europe/Madrid').optional(),
  timeout_s: z
    .number()
    .positive('expected seconds, more than 0')
    .max(LONGEST_TIMEOUT_S, `expected at most ${LONGEST_TIMEOUT_S} seconds`)
    .optional(),
  jitter_s: z.number().min(0).max(DAY_S, `expected at most ${DAY_S} seconds`).optional(),
  overlap: z.enum(['skip', 'queue'], { error: 'expected "skip" or "queue"' }).optional(),
  misfire: z.enum(['skip', 'once'], { error: 'expected "skip" or "once"' }).optional(),
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
  readonly webhook: WebhookConfig | null;
  /** Event kinds that fire the job at once. */
  readonly on: readonly string[];
  /** IANA zone; null is the process's local one. */
  readonly timezone: string | null;
  readonly timeout_s: number | null;
  /** A slot is fired up to so many seconds later, by chance, so that not all jobs begin at once; 0–86,400. */
  readonly jitter_s: number;
  /** A slot that comes while the job runs is left out, or fired when the run has ended (the latest of several). */
  readonly overlap: 'skip' | 'queue';
  /** Slots nobody was there to fire are left out, or the latest of them is made up for. */
  readonly misfire: 'skip' | 'once';
  readonly enabled: boolean;
}

/** A scheduler's whole configuration. */
export interface SchedulerConfig {
  readonly path: string;
  readonly scheduler_id: string;
  /** Absolute path of the stage store. */
  readonly store_path: string;
  /** The registry that stages are looked up in in place of the store; the key as the file has it. */
  readonly registry: { readonly url: string; readonly api_key: string | null } | null;
  readonly jobs: readonly JobConfig[];
  /** What a person should look at, though it runs. */
  readonly warnings: readonly string[];
}

function place(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (at, key) =>
      typeof key === 'number' ? `${at}[${key}]` : at === '' ? String(key) : `${at}.${String(key)}`,
    '',
  );
}

/** What a person is told of a value of the wrong kind, and of one that is not there. */
function kindExpected({ code, expected, input }: z.core.$ZodRawIssue): string | undefined {
  if (code !== 'invalid_type') return undefined;
  if (input === undefined) return `missing: expected ${String(expected)}`;
  // Its kind, not its value: what stands in a wrong place may be a secret.
  const kind = input === null ? 'null' : Array.isArray(input) ? 'a list' : typeof input;
  return `expected ${String(expected)}, got ${kind}`;
}

function issuesOf(error: z.ZodError): readonly string[] {
  return meantIssues(error.issues).flatMap((issue) => {
    const at = place(issue.path) || 'the file';
    if (issue.code !== 'unrecognized_keys') return [`${at}: ${issue.message}`];
    const known = fieldsAt(SchedulerFile, issue.path);
    return issue.keys.map((key) => `${at}: there is no field ${JSON.stringify(key)}${meant(key, known)}`);
  });
}

/** What no field shows by itself. The file may be wrong elsewhere as well: all is told at once. */
function crossProblems(value: unknown): readonly string[] {
  const { store_path, registry_url, registry_api_key } = fieldsOf(value);
  const problems: string[] = [];
  if (store_path !== undefined && registry_url !== undefined)
    problems.push('store_path, registry_url: expected exactly one of them');
  problems.push(...registryProblems(registry_url, registry_api_key));
  const names = new Map<unknown, number>();
  jobsOf(value).forEach(({ name, input, input_from }, index) => {
    const at = `jobs[${index}]`;
    const other = names.get(name);
    if (typeof name === 'string' && other !== undefined)
      problems.push(`${at}.name: another job is called ${JSON.stringify(name)}: jobs[${other}]`);
    else names.set(name, index);
    if (input !== undefined && input_from !== undefined)
      problems.push(`${at}: expected input or input_from, not both`);
  });
  return problems;
}

/** What the kinds of the fields do not show; a key is never told. */
function registryProblems(url: unknown, key: unknown): readonly string[] {
  const address = typeof url === 'string' && isWeb(url) ? addressProblem(url) : null;
  const problems = address === null ? [] : [`registry_url: ${address}`];
  if (typeof key !== 'string' || key === '' || isKey(key)) return problems;
  return [...problems, 'registry_api_key: expected visible ASCII characters, without spaces'];
}

/** What is wrong otherwise is told by the field. */
function isWeb(text: string): boolean {
  return url.safeParse(text).success;
}

/** What a person should know of the key in a file. */
function keyWarnings(
  file: string,
  key: string | undefined,
  registry_url: string | undefined,
): readonly string[] {
  if (key === undefined) return [];
  if (registry_url === undefined) return ['registry_api_key is not used: there is no registry_url'];
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & OTHERS_READ) === 0
    ? []
    : [
        `others can read ${file} with the registry_api_key in it: chmod 600 ${shellWord(file)}, or set NOETHER_REGISTRY_API_KEY in its place`,
      ];
}

/** Where a path of the config leads: from the working directory, else from the config's folder. Warns where both have it. */
export function findPath(given: string, folder: string, cwd: string, warn: (text: string) => void): string {
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
  const value = readConfigValue(file);
  const crowded = jobsOf(value).length > MOST_JOBS;
  if (crowded)
    throw invalidConfig(file, [`jobs: expected at most ${MOST_JOBS}, got ${jobsOf(value).length}`]);
  const parsed = SchedulerFile.safeParse(value, { error: kindExpected });
  const problems = [...(parsed.success ? [] : issuesOf(parsed.error)), ...crossProblems(value)];
  if (!parsed.success || problems.length > 0) throw invalidConfig(file, problems);

  const { jobs, store_path, scheduler_id, registry_url, registry_api_key } = parsed.data;
  const warnings = new Set(keyWarnings(file, registry_api_key, registry_url));
  const warn = (text: string): void => void warnings.add(text);
  return Object.freeze({
    path: file,
    scheduler_id: scheduler_id ?? 'default',
    store_path: findPath(store_path ?? '.noether/store.json', folder, cwd, warn),
    registry: registry_url === undefined ? null : { url: registry_url, api_key: registry_api_key ?? null },
    jobs: jobs.map((job) => ({
      name: job.name,
      cron: job.cron,
      graph: findPath(job.graph, folder, cwd, warn),
      input: job.input ?? null,
      input_key: job.input_from?.slice('kv:'.length) ?? null,
      webhook: webhookOf(job.webhook),
      on: job.on ?? [],
      timezone: job.timezone ?? null,
      timeout_s: job.timeout_s ?? null,
      jitter_s: job.jitter_s ?? 0,
      overlap: job.overlap ?? 'skip',
      misfire: job.misfire ?? 'skip',
      enabled: job.enabled ?? true,
    })),
    warnings: [...warnings],
  });
}

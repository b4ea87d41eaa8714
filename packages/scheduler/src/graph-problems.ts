import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import type { Catalog, CheckProblem, Json } from '@caloron/noether';
import { CodedError, messageOf } from '@caloron/noether/errors';
import type { Logger } from '@caloron/capabilities/logger';
import { shellWord } from '@caloron/types';

import { fieldsOf, invalidConfig, jobsOf, readConfigValue } from './config-text.ts';
import { findPath, type JobConfig, MOST_JOBS, readConfig, type SchedulerConfig } from './config.ts';
import { SchedulerError } from './errors.ts';
import { localZoneProblem } from './local-zone.ts';
import { openCatalog, type StageLibrary } from './open-catalog.ts';
import { check, loadGraph } from './runtime.ts';
import { storeProblems } from './verify-stages.ts';

/** A graph that a job names. */
export interface GraphOfJob {
  /** The job's place in the config, as `jobs[0]`. */
  readonly at: string;
  /** Absolute path. */
  readonly path: string;
  /** What each run is given; undefined where only a run knows. */
  readonly input?: Json | undefined;
}

/** Where stages are looked up that are not of this program; null where that is not known. */
type Stages = string | StageLibrary | null;

/** The graphs of a config's jobs, with the inputs that are the same at every run. */
export function graphsOf(jobs: readonly JobConfig[]): readonly GraphOfJob[] {
  return jobs.map(({ graph: path, input_key, input }, index) => ({
    at: `jobs[${index}]`,
    path,
    input: input_key === null ? (input as Json) : undefined,
  }));
}

/** What is wrong with the graphs of jobs, each by its job: what is no graph, does not type-check, or does not take the job's input. */
export async function graphProblems(
  graphs: readonly GraphOfJob[],
  stages: Stages,
  catalog?: Catalog,
): Promise<readonly string[]> {
  // Many jobs may have one graph, and a graph may need the whole stage store: one after the other, and each once.
  const looked = new Map<string, readonly Found[]>();
  const problems: string[] = [];
  for (const graph of graphs) {
    const key = JSON.stringify([graph.path, graph.input]);
    const found = looked.get(key) ?? (await problemsOf(graph, stages, catalog));
    looked.set(key, found);
    problems.push(...found.map(({ field, text }) => `${graph.at}.${field}: ${text}`));
  }
  return problems;
}

/** What is wrong, by the field of the job it is about. */
interface Found {
  readonly field: string;
  readonly text: string;
}

async function problemsOf(
  { path, input }: GraphOfJob,
  stages: Stages,
  catalog: Catalog | undefined,
): Promise<readonly Found[]> {
  try {
    const graph = loadGraph(path);
    const found = await openCatalog(graph, stages ?? '', catalog);
    const { problems } = check(graph, found, input === undefined ? {} : { input });
    return problems
      .filter(({ code }) => stages !== null || code !== 'GRAPH_STAGE_UNKNOWN')
      .map((problem) => said(path, problem, stages));
  } catch (error) {
    const next = error instanceof CodedError && error.hint !== undefined ? `; ${error.hint}` : '';
    return [{ field: 'graph', text: `${messageOf(error)}${next}` }];
  }
}

function said(path: string, problem: CheckProblem, stages: Stages): Found {
  const { code, path: place, message, nearest } = problem;
  if (code === 'GRAPH_INPUT_INVALID' && /^input\b/u.test(place))
    return { field: place, text: `${message}, as ${path} needs` };
  const lost = code === 'GRAPH_STAGE_UNKNOWN' && nearest === null;
  const told = message.startsWith(`${place}: `) ? message : `${place}: ${message}`;
  return { field: 'graph', text: `${path}: ${told}${lost ? howToFind(stages) : ''}` };
}

/** Where a stage was looked for that nothing here is called like, and how it comes there. */
function howToFind(store: Stages): string {
  if (typeof store !== 'string')
    return store?.url === undefined
      ? ''
      : `, neither in this program nor in the registry ${store.url}; ./noether stage push puts yours there`;
  return `, neither in this program nor in ${store}; ./noether stage sync ./stages/ --store ${shellWord(store)} puts yours there`;
}

/** What of the host a config is read on. */
export interface ConfigHost {
  /** The stages of this program; asked for where something is wrong. */
  readonly catalog: () => Catalog;
  /** The variable `TZ`. */
  readonly timezone: string | undefined;
}

/**
 * Reads a config as `readConfig` does, on a host whose zone it can reckon by. Of one that is refused, what is wrong with the stage store and
 * with the graphs of those jobs that can be read is told with the rest, so that everything is corrected at once.
 */
export async function readWhole(path: string, cwd: string, host: ConfigHost): Promise<SchedulerConfig> {
  const zone = localZoneProblem(host.timezone);
  const problems = zone === null ? [] : [zone];
  try {
    const config = readConfig(path, cwd);
    if (zone === null) return config;
  } catch (error) {
    if (!(error instanceof SchedulerError) || error.code !== 'SCHEDULER_CONFIG_INVALID') throw error;
    problems.push(...(error.details as { readonly problems: readonly string[] }).problems);
  }
  const file = resolve(cwd, path);
  throw invalidConfig(file, [...problems, ...(await readableProblems(file, cwd, host.catalog))]);
}

/** What is thrown where a stage store is refused: what is wrong with the graphs of the config is told with it. */
export async function refusedStore(
  error: unknown,
  { path, store_path, jobs }: SchedulerConfig,
  catalog: Catalog,
): Promise<unknown> {
  const graphs = await graphProblems(graphsOf(jobs), store_path, catalog);
  const store = graphs.length === 0 ? [] : await storeProblems(store_path, catalog);
  return store.length === 0 ? error : invalidConfig(path, [...store, ...graphs]);
}

async function readableProblems(
  file: string,
  cwd: string,
  loadCatalog: () => Catalog,
): Promise<readonly string[]> {
  let value: unknown;
  try {
    value = readConfigValue(file);
  } catch {
    // It was told already that this is no JSON.
    return [];
  }
  const at = (given: string): string => findPath(given, dirname(file), cwd, () => undefined);
  if (jobsOf(value).length > MOST_JOBS) return [];
  const { store_path, registry_url } = fieldsOf(value);
  const given = typeof store_path === 'string' && store_path !== '' ? store_path : '.noether/store.json';
  const store = registry_url === undefined ? at(given) : null;
  const graphs = jobsOf(value).flatMap(({ graph, input, input_from }, index) =>
    typeof graph === 'string' && graph !== ''
      ? [
          {
            at: `jobs[${index}]`,
            path: at(graph),
            input: input_from === undefined ? ((input ?? null) as Json) : undefined,
          },
        ]
      : [],
  );
  const catalog = loadCatalog();
  return [
    ...(store === null ? [] : await storeProblems(store, catalog)),
    ...(await graphProblems(graphs, store, catalog)),
  ];
}

/** Warns of each graph of an enabled job that cannot run as it is now. Its job goes on: the graph is read anew at each fire. */
export async function warnOfGraphs(
  jobs: readonly JobConfig[],
  stages: string | StageLibrary,
  catalog: Catalog,
  logger: Pick<Logger, 'warn'>,
): Promise<void> {
  const paths = new Map(jobs.filter(({ enabled }) => enabled).map((job) => [job.graph, job.name]));
  for (const [path, job] of paths) {
    // Fires are not to wait for all of them.
    await setImmediate();
    const problems = await graphProblems([{ at: job, path }], stages, catalog);
    if (problems.length > 0) logger.warn({ job, path, problems }, 'the graph of a job cannot run as it is');
  }
}

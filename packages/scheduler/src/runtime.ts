import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

import { createForges } from '@caloron/capabilities/github';
import { createLlm } from '@caloron/capabilities/llm';
import { createReports } from '@caloron/capabilities/reports';
import { createShells } from '@caloron/capabilities/shell';
import { readStageArchive } from '@caloron/capabilities/source';
import { buildCatalog, checkGraph, GraphError, parseGraph, runGraph } from '@caloron/noether';
import type { Catalog, CheckReport, Graph, Json, RunInfo, RunResult } from '@caloron/noether';
import { catalog as stages } from '@caloron/stages';
import { type Home, openStore, readStageStore, type Store, type TraceWarning } from '@caloron/store';
import type { CaloronCapabilities, Clock, Random } from '@caloron/types';

import type { Environment } from './environment.ts';
import { SchedulerError, unreadable } from './errors.ts';
import { syncProjectConfig } from './project-config.ts';

/** What one run's stages may use: capability name → the clients it brings. */
export type RunCapabilities = { readonly [N in keyof CaloronCapabilities]: CaloronCapabilities[N] };

/** What a runtime is made of. */
export interface RuntimeDeps {
  readonly home: Home;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  /** Told when a trace cannot be written: facts first, then a sentence. */
  readonly warn?: TraceWarning;
  /** Changes what a run's stages are given: a caller's own clients, or watched ones. */
  readonly decorate?: (capabilities: RunCapabilities, run: RunInfo) => RunCapabilities;
}

/** One composition run to make. */
export interface RunRequest {
  /** Path of the graph, for messages and traces. */
  readonly graph_name: string;
  readonly graph: Graph;
  readonly input: Json;
  readonly labels?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly run_id?: string;
  /** Awaited before and after every stage call. */
  readonly observe?: (moment: {
    readonly kind: 'before' | 'after';
    readonly path: string;
    readonly stage: string;
  }) => void | Promise<void>;
}

/** Everything plugged together: graphs run here with the store, the forge and the shell behind their stages. */
export interface Runtime {
  readonly store: Store;
  readonly catalog: Catalog;
  run(request: RunRequest): Promise<RunResult>;
  close(): void;
}

/** The stages of this program with their ids; reads each stage's source text once. */
export function loadCatalog(): Catalog {
  const root = dirname(createRequire(import.meta.url).resolve('@caloron/stages/package.json'));
  return buildCatalog(stages.map(({ stage, file }) => ({ stage, archive: readStageArchive(root, file) })));
}

/** Reads and parses a graph file; throws SCHEDULER_GRAPH_MISSING or GRAPH_INVALID. */
export function loadGraph(path: string): Graph {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SchedulerError(
      'SCHEDULER_GRAPH_MISSING',
      { path, reason: unreadable(error) },
      {
        cause: error,
        hint: 'the path counts from the working directory; use an absolute one where that may change',
      },
    );
  }
  try {
    return parseGraph(text, path);
  } catch (error) {
    if (!(error instanceof GraphError) || error.hint !== undefined) throw error;
    const { code, details } = error;
    throw new GraphError(code, details, {
      cause: error,
      hint: `correct it; ./noether check ${path} tells when it is right`,
    });
  }
}

/** Checks a graph's types and effects without running anything. */
export function check(graph: Graph, catalog: Catalog, input?: Json): CheckReport {
  return checkGraph(graph, catalog, input === undefined ? {} : { input });
}

/** Refuses a stage store that lacks this program's stages: SCHEDULER_STORE_MISSING, SCHEDULER_STORE_STALE. Writes nothing. */
export async function verifyStageStore(path: string, catalog: Catalog): Promise<void> {
  const hint = `./noether stage sync --store ${path}`;
  if (!existsSync(path)) throw new SchedulerError('SCHEDULER_STORE_MISSING', { path }, { hint });
  const known = new Set((await readStageStore(path)).map(({ id }) => id));
  const stale = catalog.entries
    .filter(({ record }) => !known.has(record.id))
    .map(({ record }) => record.name);
  if (stale.length > 0) throw new SchedulerError('SCHEDULER_STORE_STALE', { path, stages: stale }, { hint });
}

/** Opens the database and plugs the capabilities in. */
export function createRuntime(deps: RuntimeDeps): Runtime {
  const { home, environment, clock, random } = deps;
  const { warn } = deps;
  const store = openStore(home.db, { clock, uuid: () => random.uuid(), ...(warn && { warn }) });
  const catalog = loadCatalog();
  const forges = createForges({
    cache: store.forgeCache,
    allow: environment.token_envs,
    env: environment.variables,
    clock,
  });
  const shells = createShells({
    url: environment.shell_url,
    token: environment.shell_token,
    db_id: store.db_id,
  });
  const llm = createLlm(environment.variables);
  const reports = createReports({ dir: home.reports_dir });

  const capabilities = (run: RunInfo): RunCapabilities => {
    const own = store.forRun({ run_id: run.run_id, lease: run.lease });
    const made: RunCapabilities = {
      'kv.read': { kv: { get: (key) => own.kv.get(key), list: (prefix) => own.kv.list(prefix) } },
      'kv.write': {
        kv: {
          put: (key, value, options) => own.kv.put(key, value, options),
          delete: (key) => own.kv.delete(key),
        },
      },
      'log.read': { log: own.log },
      'state.commit': { state: own.state },
      outbox: { outbox: own.outbox },
      forge: { forge: forges },
      shell: { shell: shells },
      llm: { llm },
      clock: { clock },
      random: { random },
      reports: { reports },
    };
    return deps.decorate?.(made, run) ?? made;
  };

  return {
    store,
    catalog,
    run: async ({ graph, graph_name, input, labels, signal, observe, run_id }) => {
      await syncProjectConfig(store, home.project_file);
      return runGraph({
        graph,
        graph_name,
        input,
        catalog,
        capabilities,
        clock,
        uuid: () => random.uuid(),
        leases: store.leases,
        trace: store.runs,
        cache: store.cache,
        ...(labels === undefined ? {} : { labels }),
        ...(signal === undefined ? {} : { signal }),
        ...(observe === undefined ? {} : { observe }),
        ...(run_id === undefined ? {} : { run_id }),
      });
    },
    close: () => store.close(),
  };
}

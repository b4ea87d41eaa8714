import { readFileSync } from 'node:fs';

import { checkGraph, GraphError, parseGraph, runGraph } from '@caloron/noether';
import type { Catalog, CheckReport, Graph, Json, RunInfo, RunResult } from '@caloron/noether';
import type { Home, Store, TraceWarning } from '@caloron/store';
import { openStore } from '@caloron/store/store';
import type { Clock, Random } from '@caloron/types';

import { createClients, type RunCapabilities } from './clients.ts';
import type { Environment } from './environment.ts';
import { SchedulerError, unreadable } from './errors.ts';
import { catalogFor } from './graph-catalog.ts';
import { syncProjectConfig } from './project-config.ts';

/** What a runtime is made of. */
export interface RuntimeDeps {
  readonly home: Home;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  /** Every stage, for a process that runs many graphs; else each run loads the stages its graph names. */
  readonly catalog?: Catalog;
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
  run(request: RunRequest): Promise<RunResult>;
  close(): void;
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

/** Opens the database and plugs the capabilities in. */
export function createRuntime(deps: RuntimeDeps): Runtime {
  const { home, environment, clock, random } = deps;
  const { warn } = deps;
  const store = openStore(home.db, { clock, uuid: () => random.uuid(), ...(warn && { warn }) });
  const clients = createClients({ store, environment, clock, random, reports_dir: home.reports_dir });

  return {
    store,
    run: async ({ graph, graph_name, input, labels, signal, observe, run_id }) => {
      await syncProjectConfig(store, home.project_file);
      const catalog = deps.catalog ?? (await catalogFor(graph));
      const capabilitiesOf = await clients(catalog.entries.flatMap(({ stage }) => stage.capabilities));
      return runGraph({
        graph,
        graph_name,
        input,
        catalog,
        capabilities: (run) => {
          const made = capabilitiesOf(run);
          return deps.decorate?.(made, run) ?? made;
        },
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

import { existsSync } from 'node:fs';

import { checkGraph, GraphError, parseGraph, runGraph } from '@caloron/noether';
import type {
  Catalog,
  CheckOptions,
  CheckReport,
  Graph,
  Json,
  Policy,
  RunInfo,
  RunResult,
} from '@caloron/noether';
import type { Home, Store, TraceWarning } from '@caloron/store';
import { openStore } from '@caloron/store/store';
import { type Clock, type ForgeAsker, type Random, shellWord } from '@caloron/types';

import { createClients, type RunCapabilities } from './clients.ts';
import { credentialOf, type Environment, secretsOf } from './environment.ts';
import { SchedulerError, unreadable } from './errors.ts';
import { createLiveSecrets } from './live-secrets.ts';
import { openCatalog, type StagePlace } from './open-catalog.ts';
import { syncProjectConfig } from './project-config.ts';
import { ownProcess } from './run-process.ts';
import { readTextFile } from './text-file.ts';

/** What a runtime is made of. */
export interface RuntimeDeps {
  readonly home: Home;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  /** Every stage, for a process that runs many graphs; else each run loads the stages its graph names. */
  readonly catalog?: Catalog;
  /** Where graphs' references to stages that are not of this program are looked up, one after the other; absent: the home's store. */
  readonly stage_store?: StagePlace | readonly StagePlace[];
  /** Further values no trace may show, as of now. */
  readonly secrets?: () => readonly string[];
  /** Who asks forges: the last of a limit is kept for people. A tick when absent. */
  readonly who?: ForgeAsker;
  /** Told when a trace cannot be written: facts first, then a sentence. */
  readonly warn?: TraceWarning;
  /** Changes what a run's stages are given: a caller's own clients, or watched ones. */
  readonly decorate?: (capabilities: RunCapabilities, run: RunInfo) => RunCapabilities;
}

/** What a caller asks of a run besides the graph's own rules. */
export interface RunRules {
  /** Binds together with the graph's own policy. */
  readonly policy?: Policy;
  /** Deadline of the whole run, ms. */
  readonly timeout_ms?: number;
  /** Stage calls at once, from 1. */
  readonly concurrency?: number;
  /** Declared cost the run may reach, cents. */
  readonly budget_cents?: number;
  /** Keeps what each node was given and gave in the trace, secrets hidden. */
  readonly trace_values?: boolean;
}

/** One composition run to make. */
export interface RunRequest {
  /** Path of the graph, for messages and traces. */
  readonly graph_name: string;
  readonly graph: Graph;
  readonly input: Json;
  readonly rules?: RunRules;
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

/** Graphs as last read, so that what is known of an unchanged one is kept with it. */
const graphs = new Map<string, { readonly text: string; readonly graph: Graph }>();

const WHERE_PATHS_COUNT_FROM =
  'the path counts from the working directory; use an absolute one where that may change';

/** Reads and parses a graph file; throws SCHEDULER_GRAPH_MISSING or GRAPH_INVALID. */
export function loadGraph(path: string): Graph {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw new SchedulerError(
      'SCHEDULER_GRAPH_MISSING',
      { path, reason: unreadable(error) },
      { cause: error, ...(!existsSync(path) && { hint: WHERE_PATHS_COUNT_FROM }) },
    );
  }
  const known = graphs.get(path);
  if (known?.text === text) return known.graph;
  try {
    const graph = parseGraph(text, path);
    graphs.set(path, { text, graph });
    return graph;
  } catch (error) {
    if (!(error instanceof GraphError) || error.hint !== undefined) throw error;
    const { code, details } = error;
    throw new GraphError(code, details, {
      cause: error,
      hint: `correct it; ./noether check ${shellWord(path)} tells when it is right`,
    });
  }
}

/** Checks a graph's types and effects without running anything. */
export function check(graph: Graph, catalog: Catalog, options: CheckOptions = {}): CheckReport {
  return checkGraph(graph, catalog, options);
}

/** Opens the database and plugs the capabilities in. */
export function createRuntime(deps: RuntimeDeps): Runtime {
  const { home, environment, clock, random } = deps;
  const { warn } = deps;
  const store = openStore(home.db, { clock, uuid: () => random.uuid(), ...(warn && { warn }) });
  const { who } = deps;
  const live = createLiveSecrets();
  const { learn } = live;
  const clients = createClients({ store, environment, clock, random, home, who, learn });

  return {
    store,
    run: async ({ graph, graph_name, input, rules, labels, signal, observe, run_id }) => {
      await syncProjectConfig(store, home.project_file);
      const catalog = await openCatalog(graph, deps.stage_store ?? home.stage_store, deps.catalog);
      const capabilitiesOf = await clients(catalog.entries.flatMap(({ stage }) => stage.capabilities));
      const made = (secrets: readonly string[]): Promise<RunResult> =>
        runGraph({
          graph,
          graph_name,
          input,
          catalog,
          capabilities: (run) => {
            const given = capabilitiesOf(run);
            return deps.decorate?.(given, run) ?? given;
          },
          clock,
          uuid: () => random.uuid(),
          leases: store.leases,
          trace: store.runs,
          cache: store.cache,
          secrets,
          credentials: (alias) => credentialOf(environment, alias),
          ...rules,
          labels: { ...sprintLabel(input), process: ownProcess(), ...labels },
          ...(signal === undefined ? {} : { signal }),
          ...(observe === undefined ? {} : { observe }),
          ...(run_id === undefined ? {} : { run_id }),
        });
      return live.during([...secretsOf(environment), ...(deps.secrets?.() ?? [])], made);
    },
    close: () => store.close(),
  };
}

/** Runs are found by the sprint they work for. */
function sprintLabel(input: Json): { readonly sprint?: string } {
  if (input === null || typeof input !== 'object' || !('sprint_id' in input)) return {};
  const { sprint_id } = input;
  return typeof sprint_id === 'string' ? { sprint: sprint_id } : {};
}

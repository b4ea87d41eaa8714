import type { RunInfo } from '@caloron/noether';
import type { Home, Store } from '@caloron/store';
import type { CapabilityName, CaloronCapabilities, Clock, ForgeAsker, Random } from '@caloron/types';

import type { Environment } from './environment.ts';
import { hostClients } from './host-clients.ts';

/** What one run's stages may use: capability name → the clients it brings. */
export type RunCapabilities = { readonly [N in keyof CaloronCapabilities]?: CaloronCapabilities[N] };

/** What the clients are made of. */
export interface ClientDeps {
  readonly store: Store;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly home: Home;
  /** Told each secret that no variable holds. */
  readonly learn?: ((secret: string) => void) | undefined;
  /** Who asks forges; a tick when absent. */
  readonly who?: ForgeAsker | undefined;
}

/** Makes the clients of one run. */
type Maker<N extends CapabilityName> = (run: RunInfo) => CaloronCapabilities[N];
type Loaders = { readonly [N in CapabilityName]?: () => Promise<Maker<N>> | Maker<N> };
type Makers = { [N in CapabilityName]?: Maker<N> };

/**
 * The clients of each capability. The code behind a capability, and the libraries it uses, are loaded when a run's stages first
 * ask for it: a run that calls no forge does not wait for the forge's client.
 */
export function createClients(
  deps: ClientDeps,
): (names: Iterable<string>) => Promise<(run: RunInfo) => RunCapabilities> {
  const loaders = loadersOf(deps);
  const loaded = new Map<string, Promise<Maker<CapabilityName>>>();
  const load = async (name: string): Promise<readonly [string, Maker<CapabilityName>] | undefined> => {
    if (!Object.hasOwn(loaders, name)) return undefined;
    const loader = loaders[name as CapabilityName] as () => Promise<Maker<CapabilityName>>;
    const maker = loaded.get(name) ?? Promise.resolve(loader());
    loaded.set(name, maker);
    return [name, await maker];
  };
  return async (names) => {
    const found = await Promise.all([...new Set(names)].map(load));
    const makers = Object.fromEntries(found.filter((entry) => entry !== undefined)) as Makers;
    return (run) =>
      Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, make(run)])) as RunCapabilities;
  };
}

function loadersOf(deps: ClientDeps): Loaders {
  return { ...storeClients(deps), ...peerClients(deps), ...hostClients(deps) };
}

/** What the database gives: each run writes under its own name and lease. */
function storeClients({ store }: ClientDeps): Loaders {
  const own = ({ run_id, lease }: RunInfo): ReturnType<Store['forRun']> => store.forRun({ run_id, lease });
  return {
    'kv.read': () => (run) => {
      const { kv } = own(run);
      return {
        kv: {
          get: (key, place) => kv.get(key, place),
          list: (prefix, place) => kv.list(prefix, place),
        },
      };
    },
    'kv.write': () => (run) => {
      const { kv } = own(run);
      return {
        kv: {
          put: (key, value, options) => kv.put(key, value, options),
          delete: (key, place) => kv.delete(key, place),
        },
      };
    },
    'log.read': () => (run) => ({ log: own(run).log }),
    'state.commit': () => (run) => ({ state: own(run).state }),
    outbox: () => (run) => ({ outbox: own(run).outbox }),
  };
}

/** What lies outside of this process. */
function peerClients({ store, environment, clock, random, home, who, learn }: ClientDeps): Loaders {
  return {
    forge: async () => {
      const [{ createForges }, { forgesOf }] = await Promise.all([
        import('@caloron/capabilities/github'),
        import('@caloron/capabilities/host/hosts'),
      ]);
      const { token_envs: allow, token_hosts, variables: env } = environment;
      const { forgeCache: cache, forgeBudgets: budget } = store;
      const forge = createForges({ cache, budget, who, allow, hosts: token_hosts, env, clock, learn });
      return ({ hosts }) => ({ forge: forgesOf(forge, hosts) });
    },
    shell: async () => {
      const { createShells } = await import('@caloron/capabilities/shell');
      const { shell_url: url, shell_token: token } = environment;
      const shell = createShells({ url, token, db_id: store.db_id });
      return () => ({ shell });
    },
    llm: async () => {
      const { createLlm } = await import('@caloron/capabilities/llm');
      const llm = createLlm(environment.variables);
      return () => ({ llm });
    },
    reports: async () => {
      const { createReports } = await import('@caloron/capabilities/reports');
      const reports = createReports({ dir: home.reports_dir });
      return () => ({ reports });
    },
    catalog: async () => {
      const { createStageCatalog } = await import('./catalog-client.ts');
      const catalog = createStageCatalog(home.stage_store);
      return () => ({ catalog });
    },
    'trace.read': () => () => ({
      trace: { read: async (reference) => store.runs.get(reference) ?? null },
    }),
    clock: () => () => ({ clock }),
    random: () => () => ({ random }),
  };
}

import { dirname } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import type { Catalog } from '@caloron/noether';
import type { Home } from '@caloron/store';
import type { Clock } from '@caloron/types';

import type { SchedulerConfig } from './config.ts';
import type { Environment } from './environment.ts';
import type { StageLibrary } from './open-catalog.ts';
import { addressOf, type RegistryAddress, sendsInClear } from './registry/address.ts';
import { PERSON_LIMITS, READ_LIMITS, type ReadLimits } from './registry/client.ts';
import { FIRST_WAIT_MS, openMirror, type RegistryState, waitFor } from './registry/mirror.ts';
import { watchRegistry } from './registry/watch.ts';
import { verifyStageStore } from './verify-stages.ts';

/** What finding stages needs. */
export interface JobStagesDeps {
  readonly home: Home;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** The program's stages. */
  readonly catalog: Catalog;
  /** READ_LIMITS when absent, PERSON_LIMITS where a person waits. */
  readonly limits?: ReadLimits;
  /** FIRST_WAIT_MS when absent. */
  readonly first_wait_ms?: number;
}

/** Where jobs find stages that are not of this program. */
export interface JobStages {
  /** The path of a stage store, or a registry. */
  readonly stages: string | StageLibrary;
  /** How the registry is; null with a stage store. */
  registry(): Promise<RegistryState | null>;
  /** Values nobody may be shown: a registry's key. */
  secrets(): readonly string[];
  /** Goes over to the registry or key of a changed config. Throws REGISTRY_READ_KEY_INVALID. */
  reload(config: Pick<SchedulerConfig, 'registry'>): void;
  /** Resolves when the registry has been asked once, or has not answered for FIRST_WAIT_MS, which is told. */
  asked(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens what a config names: a stage store, verified, or a registry, asked from now on beside everything else. A registry that cannot be
 * read stops nothing: jobs of this program's stages run, and others with its last good catalogue. Throws as verifyStageStore
 * does, and REGISTRY_READ_KEY_INVALID.
 */
export async function openJobStages(config: SchedulerConfig, deps: JobStagesDeps): Promise<JobStages> {
  const { environment, logger, catalog, clock, home, limits = READ_LIMITS } = deps;
  const { first_wait_ms = FIRST_WAIT_MS } = deps;
  const { registry, store_path } = config;
  if (registry === null) {
    await verifyStageStore(store_path, catalog);
    return {
      stages: store_path,
      registry: () => Promise.resolve(null),
      secrets: () => [],
      reload: () => undefined,
      asked: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }
  const address = (of: NonNullable<SchedulerConfig['registry']>): RegistryAddress => {
    const found = addressOf(of.url, of.api_key, environment);
    if (sendsInClear(found)) logger.warn({ url: found.url }, IN_CLEAR);
    return found;
  };
  const noether_dir = dirname(home.stage_store);
  const watch = watchRegistry({ address: address(registry), noether_dir, clock, logger, limits });
  return {
    stages: watch,
    registry: () => watch.state(),
    secrets: () => watch.secrets(),
    reload: (changed) => {
      if (changed.registry !== null) watch.use(address(changed.registry));
    },
    asked: async () => {
      let answered = false;
      await waitFor(
        watch.asked().then(() => void (answered = true)),
        first_wait_ms,
      );
      if (answered) return;
      const { url, confirmed_at: since } = await watch.state();
      logger.warn({ url, since, waited_ms: first_wait_ms }, NO_ANSWER_YET);
    },
    close: () => watch.close(),
  };
}

const NO_ANSWER_YET = 'the registry has not answered yet: its last good catalogue is used where there is one';

const IN_CLEAR = 'the address of the registry is no https address: its key can be read on the way';

/** What `--check` finds: the stages of the registry, what is wrong with it, and what is to be looked at though it can be used. */
export interface CheckedRegistry {
  readonly stages: StageLibrary;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Asks a config's registry once. */
export async function checkRegistry(
  { url, api_key }: NonNullable<SchedulerConfig['registry']>,
  { home, environment, clock, limits = PERSON_LIMITS }: Omit<JobStagesDeps, 'catalog' | 'logger'>,
): Promise<CheckedRegistry> {
  const address = addressOf(url, api_key, environment);
  const mirror = openMirror({ address, noether_dir: dirname(home.stage_store), clock, limits });
  await mirror.refresh();
  const { status, confirmed_at, error } = await mirror.state();
  const told = error === null ? [] : [`registry_url: ${error.message}`];
  const since = `; the catalogue of ${confirmed_at ?? 'an unknown time'} is used`;
  return {
    stages: mirror,
    problems: status === 'none' ? told : [],
    warnings: [
      ...(status === 'none' ? [] : told.map((text) => `${text}${since}`)),
      ...(sendsInClear(address) ? [`registry_url: ${IN_CLEAR}`] : []),
    ],
  };
}

import { dirname } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import type { Environment } from '@caloron/scheduler/environment';
import type { StageLibrary } from '@caloron/scheduler/open-catalog';
import type { Home } from '@caloron/store/home';

import { CliError } from './errors.ts';

/** A registry that one command looks stages up in. */
export interface RegistryStages {
  /** As a person named it. */
  readonly url: string;
  readonly environment: Environment;
  readonly home: Home;
  /** Told when the last good catalogue is used in place of the registry's. */
  readonly warn: (text: string) => void;
}

/**
 * The stages of a registry, asked for what is new when a graph first names one of them; else nothing is asked and nothing loaded. The
 * last good catalogue is used where the registry fails. Throws CLI_USAGE, and as openMirror does.
 */
export function registryStages({ url, environment, home, warn }: RegistryStages): StageLibrary {
  const read = async (): ReturnType<StageLibrary['read']> => {
    const [{ addressOf, addressProblem, sendsInClear }, { openMirror }, { PERSON_LIMITS: limits }] =
      await Promise.all([
        import('@caloron/scheduler/registry/address'),
        import('@caloron/scheduler/registry/mirror'),
        import('@caloron/scheduler/registry/client'),
      ]);
    const problem = addressProblem(url);
    // What is no address may be a key in the wrong place: it is not shown.
    if (problem !== null)
      throw new CliError('CLI_USAGE', { problem: `the address of the registry: ${problem}` });
    const address = addressOf(url, null, environment);
    if (sendsInClear(address)) warn(`${url} is no https address: the key can be read on its way`);
    const noether_dir = dirname(home.stage_store);
    const mirror = openMirror({ address, noether_dir, clock: systemClock, limits });
    await mirror.refresh();
    const { status, confirmed_at, error } = await mirror.state();
    const stages = await mirror.read();
    if (status === 'stale' && error !== null)
      warn(`${error.message}; its catalogue of ${confirmed_at ?? 'an unknown time'} is used`);
    return stages;
  };
  let asked: ReturnType<StageLibrary['read']> | undefined;
  return {
    unsigned_hint: 'ask the operator of the registry for it: a registry signs for what it takes',
    read: () => (asked ??= read()),
  };
}

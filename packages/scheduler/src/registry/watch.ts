import type { Logger } from '@caloron/capabilities/logger';
import type { Clock } from '@caloron/types';

import type { StageLibrary } from '../open-catalog.ts';
import { plainUrl, type RegistryAddress, unsignedHint } from './address.ts';
import type { ReadLimits } from './client.ts';
import { type Mirror, openMirror, type RegistryState } from './mirror.ts';

/** How often a registry is asked whether its stages have changed, ms. */
export const REFRESH_INTERVAL_MS = 60_000;

/** What watching a registry needs. */
export interface WatchDeps {
  readonly address: RegistryAddress;
  readonly noether_dir: string;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** REFRESH_INTERVAL_MS when absent. */
  readonly interval_ms?: number;
  readonly limits?: ReadLimits;
}

/** A registry whose catalogue is kept up to date beside what else happens: who reads it is given what is here. */
export interface RegistryWatch extends StageLibrary {
  /** Goes over to another registry or key. */
  use(address: RegistryAddress): void;
  state(): Promise<RegistryState>;
  /** Resolves when it has been asked once. */
  asked(): Promise<void>;
  /** The key that must not be shown; none where there is none. */
  secrets(): readonly string[];
  /** Resolves when nothing is asked or written any more. */
  close(): Promise<void>;
}

/** Asks a registry at once and from then on, one question at a time; what becomes of it is told when it changes. */
export function watchRegistry(deps: WatchDeps): RegistryWatch {
  const { noether_dir, clock, logger, interval_ms = REFRESH_INTERVAL_MS, limits } = deps;
  const open = (of: RegistryAddress): Mirror =>
    openMirror({ address: of, noether_dir, clock, ...(limits && { limits }) });
  let address = deps.address;
  let mirror = open(address);
  let told: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let asking: Promise<void> = Promise.resolve();
  let closed = false;

  const ask = async (): Promise<void> => {
    const asked = mirror;
    await asked.refresh();
    if (closed || asked !== mirror) return;
    told = tell(logger, await asked.state(), told);
    if (!closed && asked === mirror) timer = setTimeout(begin, interval_ms);
  };
  const begin = (): void => {
    clearTimeout(timer);
    asking = Promise.all([asking, ask()]).then(() => undefined);
  };
  begin();

  return {
    get url() {
      return plainUrl(address.url);
    },
    get unsigned_hint() {
      return unsignedHint(address.url);
    },
    read: () => mirror.read(),
    state: () => mirror.state(),
    asked: () => asking,
    secrets: () => (address.api_key === null ? [] : [address.api_key]),
    use: (next) => {
      if (next.url === address.url && next.api_key === address.api_key) return;
      mirror.close();
      address = next;
      mirror = open(next);
      told = null;
      begin();
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      mirror.close();
      await asking;
    },
  };
}

/** Tells how a registry is where that is news. Gives what was told. */
function tell(logger: WatchDeps['logger'], state: RegistryState, told: string | null): string | null {
  const { url, status, confirmed_at, error } = state;
  const now = error?.code ?? 'well';
  if (now === told) return told;
  if (error === null) logger.info({ url }, 'the stages of the registry are here');
  else
    logger.warn(
      { url, since: confirmed_at, code: error.code, problem: error.message },
      status === 'none'
        ? 'the registry cannot be read: graphs that name its stages fail'
        : 'the registry cannot be read: its last good catalogue stays in use',
    );
  return now;
}

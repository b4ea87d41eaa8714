import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { readVerifiedStages, type VerifiedStages } from '@caloron/store/stage-store-open';
import { type Clock, type Timestamp, timestampOf } from '@caloron/types';

import type { StageLibrary } from '../open-catalog.ts';
import { plainUrl, type RegistryAddress, unsignedHint } from './address.ts';
import { invalid, lookAt } from './ask.ts';
import { RegistryClientError } from './client-errors.ts';
import { READ_LIMITS, readCatalogue, type ReadLimits } from './client.ts';
import { catalogueFault, confirm, confirmedAt, mirrorFile, readHead, replaceMirror } from './mirror-file.ts';

/** A graph that needs a registry of which nothing is here yet waits so long for it, ms. */
export const FIRST_WAIT_MS = 10_000;

/** A registry that failed is not asked again for a graph's sake before this, ms. */
const ASK_AGAIN_MS = 5_000;

/** How a registry and what is known of it are. */
export interface RegistryState {
  readonly url: string;
  /** `current`: the last answer was good. `stale`: it was not, and the last good catalogue is used. `none`: there is none. */
  readonly status: 'current' | 'stale' | 'none';
  /** When the registry last said that the catalogue here is what it has; null when it never did. */
  readonly confirmed_at: Timestamp | null;
  /** Why the last answer was not good; null when it was, or when none was asked for. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** A registry's catalogue on this machine: the last good one, however the registry is. */
export interface Mirror extends StageLibrary {
  /** Absolute path of its stage store file. */
  readonly file: string;
  /** Asks the registry once; several callers at a time share one answer. Never throws: see `state`. */
  refresh(): Promise<void>;
  state(): Promise<RegistryState>;
  /** Ends what is being asked. */
  close(): void;
}

/** What a mirror is made of. */
export interface MirrorDeps {
  readonly address: RegistryAddress;
  /** The folder of the keys that are trusted, below which the mirror lies. */
  readonly noether_dir: string;
  readonly clock: Clock;
  readonly limits?: ReadLimits;
  /** FIRST_WAIT_MS when absent. */
  readonly first_wait_ms?: number;
}

/** Opens a registry's mirror. Nothing is asked and nothing written before it is asked for. */
export function openMirror({
  address,
  noether_dir,
  clock,
  limits = READ_LIMITS,
  first_wait_ms = FIRST_WAIT_MS,
}: MirrorDeps): Mirror {
  const { url } = address;
  const file = mirrorFile(noether_dir, url);
  const place = { file, keys_dir: noether_dir };
  const ended = new AbortController();
  let failure: unknown = null;
  let asked_ms = Number.NEGATIVE_INFINITY;
  /** Why what the file holds is not relied on. */
  let damage: unknown = null;
  let asking: Promise<void> | undefined;
  let known: { readonly mark: string; readonly stages: Promise<VerifiedStages> } | undefined;

  /** The stages of the file, verified; null where it has none to rely on. */
  const local = async (): Promise<VerifiedStages | null> => {
    const mark = await markOf(noether_dir, file);
    if (mark === null) {
      damage = null;
      return null;
    }
    // Many graphs ask at once, and each time a job is fired: what has not changed is verified once.
    if (known?.mark !== mark) known = { mark, stages: readVerifiedStages(place) };
    try {
      const stages = await known.stages;
      damage = null;
      return stages;
    } catch (error) {
      if (codeOf(error) !== 'STAGE_TAMPERED' && codeOf(error) !== 'STORE_STAGES_INVALID') {
        // It may pass though the file stays as it is.
        known = undefined;
        throw error;
      }
      damage = error;
      return null;
    }
  };

  const ask = async (): Promise<void> => {
    try {
      // That nothing changed there helps only where what is here is as it was written.
      const etag = (await local()) === null ? null : ((await readHead(file))?.etag ?? null);
      const read_at = clock.now();
      const found = await readCatalogue(address, { etag, limits, signal: ended.signal });
      if (found !== null) await keep(found, read_at);
      await confirm(file, clock);
      damage = null;
      failure = null;
    } catch (error) {
      failure = error;
    } finally {
      asked_ms = performance.now();
      asking = undefined;
    }
  };
  const keep = async (found: NonNullable<Awaited<ReturnType<typeof readCatalogue>>>, read_at: Timestamp) => {
    try {
      await replaceMirror(place, found, { url, read_at }, clock);
    } catch (error) {
      if (codeOf(error) !== 'STAGE_TAMPERED' && codeOf(error) !== 'STORE_STAGES_INVALID') throw error;
      throw invalid(address, catalogueFault(error), error);
    }
  };
  const refresh = (): Promise<void> => (asking ??= ask());

  return {
    file,
    url: plainUrl(url),
    unsigned_hint: unsignedHint(url),
    read: async () => {
      const here = await local();
      if (here !== null) return here;
      if (asking !== undefined || performance.now() - asked_ms > ASK_AGAIN_MS)
        await waitFor(refresh(), first_wait_ms);
      const fetched = await local();
      if (fetched !== null) return fetched;
      const reason = failure === null ? `no answer within ${first_wait_ms} ms` : messageOf(failure);
      throw new RegistryClientError(
        'REGISTRY_NO_CATALOGUE',
        { url, reason, damage: damage === null ? null : catalogueFault(damage) },
        { cause: failure, retryable: true, ...hintOf(failure, url) },
      );
    },
    refresh,
    state: async () => {
      const at = await confirmedAt(file);
      const head = await readHead(file);
      const status = head === null || damage !== null ? 'none' : failure === null ? 'current' : 'stale';
      const error = failure === null ? null : { code: codeOf(failure), message: messageOf(failure) };
      return {
        url: plainUrl(url),
        status,
        confirmed_at: at === null ? null : timestampOf(Math.round(at)),
        error,
      };
    },
    close: () => ended.abort(),
  };
}

/** What lies with this machine's disk is not seen at the registry. */
function hintOf(error: unknown, url: string): { readonly hint?: string } {
  if (error instanceof CodedError && error.hint !== undefined) return { hint: error.hint };
  return error === null || error instanceof RegistryClientError ? { hint: lookAt(url) } : {};
}

/** Waits for work, not longer than this, ms. The work goes on. */
export async function waitFor(work: Promise<void>, wait_ms: number): Promise<void> {
  const over = new AbortController();
  const late = setTimeout(wait_ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
  await Promise.race([work, late]);
  over.abort();
}

/** Changes when the file, or whom the home trusts, does; null where there is no file. */
async function markOf(noether_dir: string, file: string): Promise<string | null> {
  const marks = await Promise.all(
    [file, ...['trusted-keys.json', 'author-key.hex'].map((name) => join(noether_dir, name))].map((path) =>
      stat(path, { bigint: true }).then(
        ({ ino, size, mtimeNs, ctimeNs, mode }) => [ino, size, mtimeNs, ctimeNs, mode].join(':'),
        () => null,
      ),
    ),
  );
  return marks[0] === null ? null : marks.join(' ');
}

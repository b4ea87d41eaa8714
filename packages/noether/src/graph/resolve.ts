import type { CatalogStage } from '../stage/catalog.ts';
import { GraphError } from './errors.ts';

/** A reference found: the stage, and the deprecated stages passed on the way. */
export interface Resolved {
  readonly entry: CatalogStage;
  readonly deprecated: readonly CatalogStage[];
}

/** Longest chain of deprecated stages followed; the original's limit. */
const MAX_HOPS = 10;

/**
 * Finds the stage a reference means: exact stage id, signature id, unique hex prefix, name.
 * A deprecated stage gives its successor. Throws GRAPH_STAGE_UNKNOWN or GRAPH_STAGE_AMBIGUOUS.
 */
export function resolveReference(
  stages: readonly CatalogStage[],
  reference: string,
  path: string | null,
  pinning: 'signature' | 'both' = 'signature',
): Resolved {
  const exact = stages.find(({ record }) => record.id === reference);
  const found =
    exact ??
    bySignature(stages, reference) ??
    byPrefix(stages, reference, path) ??
    byName(stages, reference, path);
  if (!found || found.record.lifecycle === 'Tombstone') throw unknown(stages, reference, path);
  return pinning === 'both' ? { entry: found, deprecated: [] } : successor(stages, found);
}

function unknown(stages: readonly CatalogStage[], reference: string, path: string | null): GraphError {
  const names = stages.map(({ record }) => record.name);
  return new GraphError(
    'GRAPH_STAGE_UNKNOWN',
    { path, reference, nearest: nearest(reference, names) },
    { hint: '`noether stage list` shows every stage' },
  );
}

function active(stages: readonly CatalogStage[]): readonly CatalogStage[] {
  return stages.filter(({ record }) => record.lifecycle === 'Active');
}

/** The Active stage of a signature; of several the one with the smallest id. */
function bySignature(stages: readonly CatalogStage[], reference: string): CatalogStage | undefined {
  const [first] = active(stages)
    .filter(({ record }) => record.signature_id === reference)
    .toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1));
  return first;
}

function byPrefix(
  stages: readonly CatalogStage[],
  reference: string,
  path: string | null,
): CatalogStage | undefined {
  if (!/^[0-9a-fA-F]+$/u.test(reference)) return undefined;
  return single(
    stages.filter(({ record }) => record.id.startsWith(reference.toLowerCase())),
    reference,
    path,
  );
}

function byName(
  stages: readonly CatalogStage[],
  reference: string,
  path: string | null,
): CatalogStage | undefined {
  const named = stages.filter(({ record }) => record.name === reference);
  const live = active(named);
  return single(live.length > 0 ? live : named, reference, path);
}

function single(
  found: readonly CatalogStage[],
  reference: string,
  path: string | null,
): CatalogStage | undefined {
  if (found.length > 1) {
    const matches = found.map(({ record }) => `${record.name} ${record.id.slice(0, 16)}`);
    throw new GraphError('GRAPH_STAGE_AMBIGUOUS', { path, reference, matches });
  }
  return found[0];
}

function successor(stages: readonly CatalogStage[], start: CatalogStage): Resolved {
  const deprecated: CatalogStage[] = [];
  let entry = start;
  while (typeof entry.record.lifecycle === 'object' && deprecated.length < MAX_HOPS) {
    const { successor_id } = entry.record.lifecycle.Deprecated;
    const next = stages.find(({ record }) => record.id === successor_id);
    if (!next || deprecated.includes(next)) break;
    deprecated.push(entry);
    entry = next;
  }
  return { entry, deprecated };
}

/** Up to three names close to what was written, closest first. */
export function nearest(written: string, names: readonly string[]): readonly string[] {
  const limit = Math.max(2, Math.floor(written.length / 3));
  return [...new Set(names)]
    .map((name) => ({ name, distance: distance(written, name) }))
    .filter(({ name, distance }) => distance <= limit || (written.length > 3 && name.includes(written)))
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, char] of a.split('').entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (char === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

import type { CatalogStage } from '../stage/catalog.ts';
import { nearest } from '../types/nearest.ts';
import { GraphError } from './errors.ts';

/** A reference found: the stage, and the deprecated stages passed on the way. */
export interface Resolved {
  readonly entry: CatalogStage;
  readonly deprecated: readonly CatalogStage[];
}

/** Longest chain of deprecated stages followed; the original's limit. */
const MAX_HOPS = 10;

/** Stages by what a graph may call them. */
interface Index {
  /** Those that are not foreign; null where none is. */
  readonly own: readonly CatalogStage[] | null;
  readonly byId: ReadonlyMap<string, CatalogStage>;
  /** Active stages alone. */
  readonly bySignature: ReadonlyMap<string, readonly CatalogStage[]>;
  readonly byName: ReadonlyMap<string, readonly CatalogStage[]>;
}

const indexes = new WeakMap<readonly CatalogStage[], Index>();

function indexOf(stages: readonly CatalogStage[]): Index {
  const known = indexes.get(stages);
  if (known) return known;
  // Of two stages of one id the first is meant.
  const byId = new Map(stages.toReversed().map((entry) => [entry.record.id, entry]));
  const bySignature = grouped(active(stages), ({ record }) => record.signature_id);
  const byName = grouped(stages, ({ record }) => record.name);
  const own = stages.some(({ foreign }) => foreign) ? stages.filter(({ foreign }) => !foreign) : null;
  const index = { own, byId, bySignature, byName };
  indexes.set(stages, index);
  return index;
}

function grouped(
  stages: readonly CatalogStage[],
  keyOf: (entry: CatalogStage) => string,
): ReadonlyMap<string, readonly CatalogStage[]> {
  const groups = new Map<string, CatalogStage[]>();
  for (const entry of stages) {
    const group = groups.get(keyOf(entry));
    if (group) group.push(entry);
    else groups.set(keyOf(entry), [entry]);
  }
  return groups;
}

/**
 * Finds the stage a reference means: signature id, exact stage id, unique hex prefix, name; pinned to `both` it means one
 * implementation, which no signature id is. What means a stage that is not foreign means no foreign one. A deprecated stage
 * gives its successor. Throws GRAPH_STAGE_UNKNOWN or GRAPH_STAGE_AMBIGUOUS.
 */
export function resolveReference(
  stages: readonly CatalogStage[],
  reference: string,
  path: string | null,
  pinning: 'signature' | 'both' = 'signature',
): Resolved {
  const index = indexOf(stages);
  const found =
    (index.own && find(index.own, reference, path, pinning)) ?? find(stages, reference, path, pinning);
  if (!found || found.record.lifecycle === 'Tombstone') throw unknown(stages, reference, path);
  return pinning === 'both' ? { entry: found, deprecated: [] } : successor(index, found);
}

function find(
  stages: readonly CatalogStage[],
  reference: string,
  path: string | null,
  pinning: 'signature' | 'both',
): CatalogStage | undefined {
  const index = indexOf(stages);
  return (
    (pinning === 'both' ? undefined : bySignature(index, reference)) ??
    index.byId.get(reference) ??
    byPrefix(stages, reference, path) ??
    byName(index, reference, path)
  );
}

function unknown(stages: readonly CatalogStage[], reference: string, path: string | null): GraphError {
  const names = stages.map(({ record }) => record.name);
  return new GraphError(
    'GRAPH_STAGE_UNKNOWN',
    { path, reference, nearest: nearest(reference, names) },
    { hint: '`./noether stage list` shows every stage' },
  );
}

function active(stages: readonly CatalogStage[]): readonly CatalogStage[] {
  return stages.filter(({ record }) => record.lifecycle === 'Active');
}

/** The Active stage of a signature; of several the one with the smallest id. A stage without a signature id has the empty one. */
function bySignature(index: Index, reference: string): CatalogStage | undefined {
  if (reference === '') return undefined;
  const [first] = (index.bySignature.get(reference) ?? []).toSorted((a, b) =>
    a.record.id < b.record.id ? -1 : 1,
  );
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

function byName(index: Index, reference: string, path: string | null): CatalogStage | undefined {
  const named = index.byName.get(reference) ?? [];
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

function successor(index: Index, start: CatalogStage): Resolved {
  const deprecated: CatalogStage[] = [];
  let entry = start;
  while (typeof entry.record.lifecycle === 'object' && deprecated.length < MAX_HOPS) {
    const { successor_id } = entry.record.lifecycle.Deprecated;
    const next = index.byId.get(successor_id);
    if (!next || deprecated.includes(next)) break;
    deprecated.push(entry);
    entry = next;
  }
  return { entry, deprecated };
}

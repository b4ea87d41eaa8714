import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Json } from '../ports.ts';
import { Draw } from '../testing/draw.ts';
import { drawGraph } from '../testing/draw-graph.ts';
import { GraphError, type GraphErrorDetails } from './errors.ts';
import { GraphFile } from './graph-schema.ts';
import { parseGraph } from './parse.ts';

/** Values that stand where another belongs. */
const STRANGERS: readonly [Json, ...Json[]] = [
  null,
  true,
  -1,
  0,
  1.5,
  70_000,
  '',
  'word',
  [],
  ['word'],
  {},
  { kind: 'Text' },
  { kind: 'Range', min: 'a' },
  { op: 'Const', value: null },
];

/** The same JSON with one place of it replaced or gone. */
function spoilt(draw: Draw, value: Json): Json {
  if (typeof value !== 'object' || value === null || draw.chance(5)) return draw.pick(STRANGERS);
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const at = draw.nat(items.length - 1);
    return items.length === 0 ? draw.pick(STRANGERS) : items.with(at, spoilt(draw, items[at] ?? null));
  }
  const entries = Object.entries(value);
  const at = draw.nat(entries.length - 1);
  const [key, inner] = entries[at] ?? ['new', null];
  const changed: [string, Json][] = draw.chance(6) ? [] : [[key, spoilt(draw, inner as Json)]];
  return Object.fromEntries((entries as [string, Json][]).toSpliced(at, 1, ...changed));
}

/** Fields of nodes and of a graph that may be there and rarely are. */
const EXTRA: readonly [object, ...object[]] = [
  { pinning: 'both' },
  { pinning: 'other' },
  { timeout_ms: 5 },
  { timeout_ms: 0 },
  { retry_on: 'retryable' },
  { retry_on: [''] },
  { concurrency: null },
  { concurrency: 65 },
  { on_error: 'collect' },
  { auth: '' },
  { config: null },
  { backoff: 0.5 },
  { policy: { effects: ['Pure'] } },
  { policy: { hosts: 'a' } },
  { lease: { name: 'a', ttl_ms: 5000 } },
  { lease: { ttl_ms: 999, renew_ms: 1 } },
  { lease: { name: 'a', renew_ms: null } },
];

/** Whether the parser reads a graph; that a lease is renewed before it ends is a relation no JSON Schema has. */
const reads = (graph: Json): boolean => {
  try {
    parseGraph(graph, 'a graph');
    return true;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const { issues } = error.details as GraphErrorDetails['GRAPH_INVALID'];
    return issues.every(({ message }) => message.startsWith('expected less than ttl_ms'));
  }
};

describe('the schema of composition files', () => {
  it('takes what the parser takes, and refuses what it refuses', () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(fc.gen(), (next) => {
        const draw = new Draw(next);
        const { root } = drawGraph(draw, 2);
        const node = { ...(root as object), ...draw.pick(EXTRA) } as Json;
        const sound = { description: 'a', version: '0.1.0', ...draw.pick(EXTRA), root: node } as Json;
        const graph = draw.chance(2) ? sound : spoilt(draw, sound);

        const taken = reads(graph);

        expect(GraphFile.safeParse(graph).success, JSON.stringify(graph)).toBe(taken);
        seen[taken ? 'taken' : 'refused'] += 1;
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(30);
  });

  it('takes an address of its schema', () => {
    const graph = {
      $schema: '../schemas/composition.schema.json',
      description: 'One',
      version: '0.1.0',
      root: { op: 'Const', value: 1 },
    };

    expect(GraphFile.safeParse(graph).success).toBe(true);
    expect(reads(graph)).toBe(true);
  });
});

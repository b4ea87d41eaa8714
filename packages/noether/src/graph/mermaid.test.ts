import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { mermaidOf } from './mermaid.ts';
import { parseGraph } from './parse.ts';

const drawn = (root: unknown): readonly string[] =>
  mermaidOf(parseGraph(JSON.stringify({ description: 'd', version: '1', root }), 'g')).split('\n');

const stage = (id: string) => ({ op: 'Stage', id });

/** Every form of line a diagram has; a label holds nothing but plain characters and character codes. */
const LABEL = String.raw`"(?:[\p{L}\p{N} _.,/+=()?!*-]|#\d+;)+"`;
const BOX = new RegExp(
  String.raw`^ {2}(n\d+)(?:\[${LABEL}\]|\[/${LABEL}/\]|\(${LABEL}\)|\(\(${LABEL}\)\)|\(\[${LABEL}\]\)|\{${LABEL}\}|\{\{${LABEL}\}\})$`,
  'u',
);
const EDGE = new RegExp(String.raw`^ {2}(n\d+) -->(?:\|${LABEL}\|)? (n\d+)$`, 'u');
const FRAME = new RegExp(String.raw`^ {2}subgraph n\d+ \[${LABEL}\]$`, 'u');

function expectDiagram(lines: readonly string[]): void {
  expect(lines[0]).toBe('flowchart TD');
  const boxes = new Set<string>();
  const ends: string[] = [];
  let open = 0;
  for (const line of lines.slice(1)) {
    const [, box] = BOX.exec(line) ?? [];
    const [, from, to] = EDGE.exec(line) ?? [];
    if (box !== undefined) boxes.add(box);
    else if (from !== undefined && to !== undefined) ends.push(from, to);
    else if (FRAME.test(line)) open += 1;
    else {
      expect(line).toBe('  end');
      open -= 1;
    }
    expect(open).toBeGreaterThanOrEqual(0);
  }
  expect(open).toBe(0);
  expect(ends.filter((id) => !boxes.has(id))).toEqual([]);
}

const names = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('end', '"', '`', '%%{init: {}}%%', '--> n1', ']]', '#35;', 'style a:#b;', '__proto__', ''),
);

describe('a Mermaid diagram', () => {
  it('is well formed whatever the names and values of a graph are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(names, { maxLength: 4 }), fc.jsonValue(), (keys, value) => {
        const branches = Object.fromEntries(keys.map((key) => [key, { op: 'Const', value }]));
        const bindings = Object.fromEntries(keys.map((key) => [key, stage('s')]));
        expectDiagram(drawn({ op: 'Parallel', branches }));
        expectDiagram(drawn({ op: 'Let', bindings, body: { op: 'Const', value: keys } }));
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['Sequential', { op: 'Sequential', stages: [stage('a'), stage('b'), stage('c')] }, 4],
    ['Sequential of nothing', { op: 'Sequential', stages: [] }, 2],
    ['Branch', { op: 'Branch', predicate: stage('p'), if_true: stage('a'), if_false: stage('b') }, 6],
    ['Fanout', { op: 'Fanout', source: stage('a'), targets: [stage('b'), stage('c')] }, 7],
    ['Merge', { op: 'Merge', sources: [stage('a'), stage('b')], target: stage('c') }, 7],
    ['Retry', { op: 'Retry', stage: stage('a'), max_attempts: 3, delay_ms: 10 }, 2],
    ['Map', { op: 'Map', over: 'items', as: 'item', stage: stage('a'), concurrency: 2 }, 2],
    ['Let', { op: 'Let', bindings: { x: stage('a') }, body: stage('b') }, 5],
    ['Parallel of nothing', { op: 'Parallel', branches: {} }, 3],
  ])('of %s joins its nodes from the input to the output', (_op, root, edges) => {
    const lines = drawn(root);

    expectDiagram(lines);
    expect(lines.filter((line) => line.includes('-->'))).toHaveLength(edges);
  });

  it('says how often a node is tried, over what it runs, and how long it may take', () => {
    const retry = { op: 'Retry', stage: stage('a'), max_attempts: 3, delay_ms: 10, timeout_ms: 500 };
    const text = drawn({ op: 'Map', over: 'order.items', as: 'item', stage: retry, concurrency: 4 }).join(
      '\n',
    );

    expect(text).toContain('["for each item of order.items, 4 at once"]');
    expect(text).toContain('["up to 3 attempts, wait 10 ms"]');
    expect(text).toContain('["at most 500 ms"]');
  });

  it('names stages, and cuts an id nobody has a name for', () => {
    const id = 'ab'.repeat(32);
    const graph = parseGraph(JSON.stringify({ description: 'd', version: '1', root: stage(id) }), 'g');

    expect(mermaidOf(graph)).toContain('n2["abababab#8230;"]');
    expect(mermaidOf(graph, () => 'clock_now')).toContain('n2["clock_now"]');
  });
});

import { checkGraph, parseGraph } from '@caloron/noether';
import { catalogFor } from '@caloron/scheduler/graph-catalog';
import { describe, expect, it } from 'vitest';

import { textOf } from './support/tree.ts';

/** The JSON examples of docs/compositions.md by their first line's number; a node alone is the root of a graph. */
const examples = [...textOf('docs/compositions.md').matchAll(/^```json\n([\s\S]*?)^```$/gm)].map((match) => {
  const line = textOf('docs/compositions.md').slice(0, match.index).split('\n').length + 1;
  const value = JSON.parse(match[1] ?? '') as object;
  return [line, 'op' in value ? { description: '', version: '0.1.0', root: value } : value] as const;
});

describe('docs/compositions.md', () => {
  it('has an example of what it adds', () => {
    const text = JSON.stringify(examples);

    for (const word of [
      'timeout_ms',
      'retry_on',
      'backoff',
      'auth',
      'policy',
      'lease',
      'Map',
      'Project',
      'stage_id',
    ])
      expect(text).toContain(`"${word}"`);
  });

  it.each(examples)('the example at line %i is a graph the checker accepts', async (_line, source) => {
    const graph = parseGraph(source, 'docs/compositions.md');

    expect(checkGraph(graph, await catalogFor(graph)).problems).toEqual([]);
  });

  it('names every op', () => {
    const named = [...textOf('docs/compositions.md').matchAll(/^\| `([A-Z][A-Za-z]+)`\s*\|/gm)].map(
      ([, op]) => op,
    );

    expect(named).toEqual([
      'Stage',
      'RemoteStage',
      'Const',
      'Sequential',
      'Parallel',
      'Branch',
      'Fanout',
      'Merge',
      'Retry',
      'Let',
      'Map',
      'Project',
    ]);
  });
});

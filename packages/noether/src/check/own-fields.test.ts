import { expect, it } from 'vitest';
import { z } from 'zod';

import { parseGraph } from '../graph/parse.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { record, TEXT } from '../types/ntype.ts';
import { checkGraph } from './check.ts';

const stage = stageKit<object>()({
  name: 'fetch',
  description: 'Fetches.',
  effects: ['Fallible'],
  input: z.object({ url: z.string(), timeout_ms: z.int().positive().nullish() }),
  output: z.string(),
  examples: [{ input: { url: 'a' }, output: 'b' }],
  run: ({ url }) => url,
});
const catalog = buildCatalog([{ stage, archive: {}, declared: { input: record({ url: TEXT }) } }]);

function check(config: object) {
  const root = { op: 'Stage', id: 'fetch', config };
  return checkGraph(parseGraph(JSON.stringify({ description: '', version: '0.1.0', root }), 'test'), catalog);
}

it('takes a literal for a field beside the declared type, and holds it against the schema', () => {
  expect(check({ url: 'a', timeout_ms: 5 })).toMatchObject({ ok: true, warnings: [] });
  expect(check({ url: 'a', timeout_ms: null })).toMatchObject({ ok: true, warnings: [] });
  expect(check({ url: 'a', timeout_ms: '5' }).problems).toMatchObject([
    { path: 'root.config.timeout_ms', code: 'GRAPH_CONFIG_INVALID' },
  ]);
});

it('means such a field too when another is misspelt', () => {
  expect(check({ url: 'a', timeout_sm: 5 }).warnings).toEqual([
    'root.config.timeout_sm: stage fetch has no input `timeout_sm`; did you mean `timeout_ms`?',
  ]);
  expect(check({ url: 'a', constructor: 5 }).warnings).toHaveLength(1);
});

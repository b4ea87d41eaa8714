import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { Json } from '../ports.ts';
import { Draw } from '../testing/draw.ts';
import { drawGraph } from '../testing/draw-graph.ts';
import type { DrawnStage } from '../testing/draw-stage.ts';
import type { OperatorCase, StageCase } from '../testing/operator-case.ts';
import { originalFacts } from '../testing/original-facts.ts';
import { ourFacts } from '../testing/our-facts.ts';
import { fixesFor } from '../testing/our-fixes.ts';
import { difference } from '../testing/same-facts.ts';

/** What is compared: everything a recorded case can expect of a graph that resolves. */
const FIELDS = [
  'output',
  'error',
  'calls',
  'received',
  'trace',
  'trace_status',
  'cache',
  'spent_cents',
  'check',
  'check_errors',
  'check_error_display',
  'warnings',
  'warning_display',
  'effects',
  'canonical_json',
  'composition_id',
  'resolved_root',
];

const EFFECTS: readonly NonNullable<StageCase['effects']>[] = [
  [{ effect: 'Pure' }],
  [{ effect: 'Fallible' }],
  [{ effect: 'NonDeterministic' }, { effect: 'Cost', cents: 3 }],
];

function stageCase(draw: Draw, { answers, fails, input, output }: DrawnStage): StageCase {
  const effects = draw.pick(EFFECTS) ?? [];
  if (fails > 0) return { behaviour: { do: 'fail_times', n: fails }, input, output, effects };
  if (typeof answers === 'string') return { behaviour: { do: 'identity' }, input, output, effects };
  return { behaviour: { do: 'const', value: answers[0] ?? null }, input, output, effects };
}

/** A case over the ops the original has; null where the graph drawn has others. */
function drawCase(draw: Draw): OperatorCase | null {
  const { root, input, stages } = drawGraph(draw);
  const text = JSON.stringify(root);
  if (/"op":"(?:Map|Project)"|"(?:timeout_ms|max_delay_ms)"/u.test(text)) return null;
  return {
    id: 'drawn',
    title: '',
    kind: 'run',
    root,
    input,
    pipeline: draw.pick([[], [], ['memoize'], ['optimize'], ['validate']]),
    stages: Object.fromEntries(stages.map((stage) => [stage.name, stageCase(draw, stage)])),
    expect: {},
  };
}

function expected(facts: { readonly [field: string]: Json }): { readonly [field: string]: Json } {
  // The original keeps no trace of a run that failed.
  const left = 'error' in facts ? FIELDS.filter((field) => !field.startsWith('trace')) : FIELDS;
  return Object.fromEntries(left.flatMap((field) => (field in facts ? [[field, facts[field] ?? null]] : [])));
}

it("differs from the original's way only where a fix says so, on any graph of its ops", async () => {
  let cases = 0;
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (next) => {
      const drawn = drawCase(new Draw(next));
      if (!drawn) return;
      cases += 1;
      const test = { ...drawn, expect: expected(await originalFacts(drawn)) };
      const ours = await ourFacts(test);

      const unexplained = Object.entries(test.expect).flatMap(([field, value]) => {
        const found = difference(field, value, ours, test, 'ours');
        return found === null || fixesFor(test, field).length > 0 ? [] : [`${field}: ${found}`];
      });
      expect(unexplained, JSON.stringify(test)).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(cases).toBeGreaterThan(50);
});

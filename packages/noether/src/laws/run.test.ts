import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalise } from '../graph/canonicalise.ts';
import { parseGraph } from '../graph/parse.ts';
import { nodeJson } from '../graph/print.ts';
import type { Json, StepFinished } from '../ports.ts';
import { Draw } from '../testing/draw.ts';
import { type DrawnGraph, drawGraph } from '../testing/draw-graph.ts';
import { ANY, NUMBER } from '../types/ntype.ts';
import { type DrawnOutcome, memoryCache, runDrawn } from '../testing/run-drawn.ts';

/** Errors that say a value had the wrong type where the checker let it through. */
const TYPE_ERRORS = [
  'STAGE_INPUT_INVALID',
  'STAGE_OUTPUT_INVALID',
  'GRAPH_VALUE_INVALID',
  'GRAPH_INPUT_INVALID',
];

/** The graphs of this law are the same each time: a search for rarer ones takes tens of thousands, not a test run. */
const SEED = 20_261_121;

/** Runs a law on drawn graphs the checker accepts; enough of them must be. */
async function forAccepted(
  law: (graph: DrawnGraph, plain: DrawnOutcome) => Promise<void>,
  numRuns: number,
  seed?: number,
): Promise<void> {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (next) => {
      const graph = drawGraph(new Draw(next));
      const plain = await runDrawn(graph);
      if (plain.status === 'refused') return;
      accepted += 1;
      await law(graph, plain);
    }),
    { numRuns, ...(seed !== undefined && { seed }) },
  );
  expect(accepted).toBeGreaterThan(numRuns / 3);
}

const shown = (graph: DrawnGraph): string => JSON.stringify(graph);

/** An outcome without the places of its errors, which the canonical form changes; a Map that collects has some in its output. */
function unplaced(outcome: DrawnOutcome): Json {
  if (outcome.status !== 'ok') return { code: outcome.code };
  return { output: JSON.parse(JSON.stringify(outcome.output).replaceAll(/"root[^ ]*: /gu, '"')) as Json };
}

describe('a graph the checker accepts', () => {
  it('never fails with a type error on inputs of the checked type', async () => {
    await forAccepted(
      async (graph, plain) => {
        expect(TYPE_ERRORS, `${JSON.stringify(plain)} of ${shown(graph)}`).not.toContain(
          plain.status === 'ok' ? null : plain.code,
        );
      },
      1000,
      SEED,
    );
  });

  it('may fail with one where a value came as Any: nothing is known of that', async () => {
    const stages = [
      { name: 'gives', input: ANY, output: ANY, answers: ['text'], pure: true, fails: 0 },
      { name: 'takes', input: NUMBER, output: NUMBER, answers: [1], pure: true, fails: 0 },
    ];
    const root = { op: 'Sequential', stages: stages.map(({ name }) => ({ op: 'Stage', id: name })) };

    expect(await runDrawn({ root, stages, input: null })).toMatchObject({ code: 'STAGE_INPUT_INVALID' });
  });

  it('does the same in its canonical form', async () => {
    await forAccepted(async (graph, plain) => {
      const { root } = parseGraph({ description: '', version: '', root: graph.root }, 'drawn');
      const canonical = { ...graph, root: nodeJson(canonicalise(root)) };

      expect(unplaced(await runDrawn(canonical)), shown(graph)).toEqual(unplaced(plain));
    }, 200);
  });

  it('does the same in its canonical form where failures pass, one stage after another', async () => {
    await forAccepted(async (graph) => {
      // Of two that run at once either could be the one that fails.
      if (/"op":"(?:Parallel|Let|Fanout|Merge|Map)"/u.test(JSON.stringify(graph.root))) return;
      const inner: Json = { op: 'Retry', stage: graph.root, max_attempts: 2 };
      const outer: Json = { op: 'Retry', stage: inner, max_attempts: 2 };
      for (const wrapped of [inner, outer]) {
        const { root } = parseGraph({ description: '', version: '', root: wrapped }, 'drawn');
        const canonical = { ...graph, root: nodeJson(canonicalise(root)) };
        const flaky = true;

        expect(unplaced(await runDrawn(canonical, { flaky })), shown(graph)).toEqual(
          unplaced(await runDrawn({ ...graph, root: wrapped }, { flaky })),
        );
      }
    }, 200);
  });

  it('does the same with a cache that is empty and with one that is full', async () => {
    await forAccepted(async (graph, plain) => {
      const cache = memoryCache();

      expect(await runDrawn(graph, { cache }), shown(graph)).toEqual(plain);
      expect(await runDrawn(graph, { cache }), shown(graph)).toEqual(plain);
    }, 200);
  });

  it('tells every attempt once', async () => {
    await forAccepted(async (graph) => {
      const calls: string[] = [];
      const steps: StepFinished[] = [];

      await runDrawn(graph, {
        flaky: true,
        called: (stage) => calls.push(stage),
        step: (step) => steps.push(step),
      });

      const attempts = steps.filter(({ status }) => status !== 'cached').map(({ stage_name }) => stage_name);
      expect(attempts.toSorted(), shown(graph)).toEqual(calls.toSorted());
      const numbered = Map.groupBy(steps, ({ path }) => path);
      for (const [path, of] of numbered)
        expect(
          of.map(({ attempt }) => attempt),
          path,
        ).toEqual(of.map((_, i) => i + 1));
    }, 200);
  });
});

describe('the result of a graph', () => {
  it('does not depend on how many stages run at once, nor on which ends first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.gen(),
        fc.scheduler(),
        fc.constantFrom(1, 2, 64),
        async (next, scheduler, concurrency) => {
          const draw = new Draw(next);
          const graph = drawGraph(draw);
          const unlucky = draw.chance(2);
          const plain = await runDrawn(graph, { unlucky });
          const turn = (stage: string): Promise<void> => scheduler.schedule(Promise.resolve(), stage);

          const scheduled = await scheduler.waitFor(runDrawn(graph, { concurrency, turn, unlucky }));

          expect(scheduled, shown(graph)).toEqual(plain);
        },
      ),
      { numRuns: 200 },
    );
  });
});

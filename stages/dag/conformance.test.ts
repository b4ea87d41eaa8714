import { toTimestamp } from '@caloron/types';
import type { Action } from '@caloron/types';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { differences, evaluateInput, rowsOf } from '../testing/vectors.ts';
import type { Row } from '../testing/vectors.ts';
import { dagEvaluate } from './evaluate.ts';
import { dagIsComplete } from './is_complete.ts';
import { dagValidate } from './validate.ts';

/** Action types the original knows; a reviewer's start is none of them. */
const KNOWN: readonly string[] = [
  'spawn_agent',
  'submit_pr_for_review',
  'merge_pr',
  'mark_done',
  'notify_agent',
  'escalate',
];

const Expected = z.object({
  state: z.object({ tasks: z.record(z.string(), z.record(z.string(), z.unknown())) }),
  actions: z.array(z.record(z.string(), z.unknown())),
});

function isKnown(action: Action): boolean {
  return KNOWN.includes(action.type) && !(action.type === 'spawn_agent' && action.role === 'reviewer');
}

/** `given` with the fields of `shape` alone; instants as we write them. */
function fieldsOf(shape: Readonly<Record<string, unknown>>, given: unknown): Record<string, unknown> {
  const from = z.record(z.string(), z.unknown()).parse(given ?? {});
  const fields = Object.entries(from).filter(([key]) => key in shape && key !== 'id');
  return Object.fromEntries(
    fields.map(([key, value]) => [
      key,
      key.endsWith('_at') && typeof value === 'string' ? toTimestamp(value) : value,
    ]),
  );
}

function evaluated(row: Row): { readonly actual: unknown; readonly expected: unknown } {
  const expected = Expected.parse(row.output);
  const out = dagEvaluate.call(dagEvaluate.input.parse(evaluateInput(row)), {});
  const tasks = Object.entries(expected.state.tasks).map(
    ([id, task]) => [id, task, out.state.tasks[id]] as const,
  );
  const actions = out.actions.filter(isKnown);
  return {
    expected: {
      tasks: tasks.map(([, task, ours]) => fieldsOf(ours ?? {}, task)),
      actions: expected.actions.map((action, at) => fieldsOf(actions[at] ?? action, action)),
    },
    actual: {
      tasks: tasks.map(([, task, ours]) => fieldsOf(task, ours)),
      actions: actions.map((action, at) => fieldsOf(expected.actions[at] ?? action, action)),
    },
  };
}

describe.each([
  ['dag_is_complete', dagIsComplete],
  ['dag_validate', dagValidate],
])('%s beside the original', (name, stage) => {
  const differs = differences(name);
  const run = (row: Row): unknown => stage.output.parse(stage.run(stage.input.parse(row.input), {}));
  // The original lists a cycle in the order of a set.
  const asSets = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, text: unknown) => {
      const [head, ids] = typeof text === 'string' ? text.split('cycle involving: ') : [];
      return ids === undefined ? text : [head, ids.split(', ').toSorted()];
    });

  it.each(rowsOf(name).filter((row) => differs[row.name] === undefined))('agrees: $name', (row) => {
    if (row.error === undefined) expect(asSets(run(row))).toEqual(asSets(row.output));
    else expect(() => run(row)).toThrow();
  });

  it.each(rowsOf(name).filter((row) => differs[row.name] !== undefined))('differs: $name', (row) => {
    let ours: unknown;
    try {
      ours = run(row);
    } catch {
      ours = { error: true };
    }
    expect(ours).not.toEqual(row.error === undefined ? row.output : { error: true });
  });
});

describe('dag_evaluate beside the original', () => {
  const differs = differences('dag_evaluate');

  it.each(rowsOf('dag_evaluate').filter((row) => differs[row.name] === undefined))('agrees: $name', (row) => {
    if (row.error === undefined) {
      const { actual, expected } = evaluated(row);
      expect(actual).toEqual(expected);
    } else expect(() => dagEvaluate.input.parse(evaluateInput(row))).toThrow();
  });

  it.each(rowsOf('dag_evaluate').filter((row) => differs[row.name] !== undefined))(
    'differs: $name',
    (row) => {
      const rejects = () => !dagEvaluate.input.safeParse(evaluateInput(row)).success;
      if (row.error !== undefined) return expect(rejects()).toBe(false);
      if (rejects()) return;
      const { actual, expected } = evaluated(row);
      expect(actual).not.toEqual(expected);
    },
  );
});

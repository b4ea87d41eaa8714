import { describe, expect, it } from 'vitest';

import { differences, rowsOf } from '../testing/vectors.ts';
import type { Row } from '../testing/vectors.ts';
import { computeSprintKpis } from './compute_kpis.ts';

describe('compute_sprint_kpis beside the original', () => {
  const differs = differences('retro_compute_kpis');
  const run = (row: Row): unknown =>
    computeSprintKpis.output.parse(computeSprintKpis.call(computeSprintKpis.input.parse(row.input), {}));

  it.each(rowsOf('retro_compute_kpis').filter((row) => differs[row.name] === undefined))(
    'agrees: $name',
    (row) => {
      if (row.error === undefined) expect(run(row)).toEqual(row.output);
      else expect(() => run(row)).toThrow();
    },
  );

  it('counts no days for a sprint that ends before it began', () => {
    const state = { tasks: { a: { status: 'Done' } } };
    const kpis = computeSprintKpis.call(
      { state, started_at: '2026-04-10T10:00:00Z', ended_at: '2026-04-08T10:00:00Z' },
      {},
    );

    expect(kpis).toMatchObject({ sprint_days: 0, tasks_per_day: 0 });
  });

  it('refuses a time that is no text', () => {
    expect(computeSprintKpis.input.safeParse({ state: { tasks: {} }, started_at: 5 }).success).toBe(false);
  });
});

import { stripVTControlCharacters } from 'node:util';

import type { StepFinished } from '@caloron/noether';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';

import { renderWaterfall, showMs } from './waterfall.ts';

const BEGUN = Date.parse('2026-04-14T08:30:00.000Z');

function step(at: number, took: number, more: Partial<StepFinished> = {}): StepFinished {
  return {
    run_id: 'r',
    path: 'root',
    stage_id: 's',
    stage_name: 'clock_now',
    attempt: 1,
    started_at: `2026-04-14T08:30:00.${String(at).padStart(3, '0')}Z`,
    duration_ms: took,
    status: 'ok',
    input_hash: 'i',
    output_hash: 'o',
    error: null,
    ...more,
  };
}

const draw = (steps: readonly StepFinished[], columns = 100, colours = false): readonly string[] =>
  renderWaterfall({ steps, begun: BEGUN, duration_ms: 100 }, { columns, colours }).split('\n');

/** Where a bar begins and ends, columns. */
const bar = (line = ''): readonly [number, number] => [line.indexOf('█'), line.lastIndexOf('█')];

describe('a waterfall', () => {
  it('shows when each attempt began and how long it took', () => {
    const [, first, third, second] = draw([step(0, 50), step(0, 100), step(50, 50)]);

    expect(bar(first)[0]).toBe(bar(third)[0]);
    expect(bar(second)[1]).toBe(bar(third)[1]);
    expect(bar(second)[0]).toBe(bar(first)[1] + 1);
  });

  it('falls in the order attempts began, whatever order they ended in', () => {
    const [, first, second] = draw([step(50, 10, { path: 'root.b' }), step(0, 90, { path: 'root.a' })]);

    expect([first, second].map((line) => line?.trim().split(' ')[0])).toEqual(['root.a', 'root.b']);
  });

  it.each([48, 60, 80, 120, 200])('fits %i columns, whatever paths, names and values hold', (columns) => {
    const long = step(10, 5, {
      path: `root.${'bindings.über.'.repeat(20)}x`,
      stage_name: '段階'.repeat(20),
      status: 'failed',
      error: { code: 'STAGE_FAILED', message: `broke\n\u001b[31m${'because '.repeat(40)}` },
      input: { text: '😀'.repeat(200) },
    });
    const widths = draw([long, step(0, 1)], columns).map((line) => stringWidth(line));

    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
  });

  it('has colours only where the terminal wants them, and none of a value', () => {
    const steps = [step(0, 1, { status: 'failed', error: { code: 'E', message: '\u001b[2Jgone' } })];
    const plain = draw(steps).join('\n');
    const coloured = draw(steps, 100, true).join('\n');

    expect(plain).not.toContain('\u001b');
    expect(coloured).toContain('\u001b[31m');
    expect(coloured).not.toContain('\u001b[2J');
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it('tells tries, failures with their reason, what came from the cache, and values where they were kept', () => {
    const text = draw([
      step(0, 3, { status: 'failed', error: { code: 'STAGE_FAILED', message: 'root: no luck' } }),
      step(4, 3, { attempt: 2, input: { a: 1 }, output: [2] }),
      step(8, 0, { status: 'cached' }),
    ]).join('\n');

    expect(text).toContain('try 1 failed: STAGE_FAILED no luck');
    expect(text).toMatch(/3 ms {2}try 2\n +in {2}\{"a":1\}\n +out \[2\]\n/);
    expect(text).toMatch(/cached$/);
  });

  it('shows times as people read them', () => {
    expect([0, 0.44, 9.96, 12.6, 999, 1_500].map(showMs)).toEqual([
      '0 ms',
      '0.4 ms',
      '10 ms',
      '13 ms',
      '999 ms',
      '1.50 s',
    ]);
  });
});

import { describe, expect, it } from 'vitest';

import { durationMs, limitOf, type RuleOptions, rulesOf } from './rules.ts';

const refusal = expect.objectContaining({ code: 'CLI_USAGE' }) as Error;

describe('the limits of a run', () => {
  it('are none where none is asked for', () => {
    expect(rulesOf({})).toEqual({});
  });

  it('are read from their options; an empty list allows nothing', () => {
    expect(
      rulesOf({
        allowEffects: 'pure, network,',
        allowCapabilities: '',
        allowHosts: 'example.org',
        budgetCents: '0',
        timeout: '1.5s',
        concurrency: '4',
        traceValues: true,
      }),
    ).toEqual({
      policy: { effects: ['pure', 'network'], capabilities: [], hosts: ['example.org'] },
      budget_cents: 0,
      timeout_ms: 1_500,
      concurrency: 4,
      trace_values: true,
    });
  });

  it.each<RuleOptions>([
    { budgetCents: '1.5' },
    { budgetCents: '-1' },
    { budgetCents: '' },
    { timeout: '0' },
    { timeout: '25d' },
    { timeout: '-1s' },
    { timeout: '1e3' },
    { concurrency: '0' },
    { concurrency: '1001' },
    { concurrency: 'all' },
  ])('refuse %j', (options) => {
    expect(() => rulesOf(options)).toThrow(refusal);
  });
});

it('a time is a number with its unit, milliseconds without', () => {
  expect(['250', '250ms', '0.5s', '5m', '2h', '7d', 's', '1w', ''].map(durationMs)).toEqual([
    250,
    250,
    500,
    300_000,
    7_200_000,
    604_800_000,
    undefined,
    undefined,
    undefined,
  ]);
});

it('a limit is a whole number from 1', () => {
  expect(limitOf('--limit', '20')).toBe(20);
  for (const text of ['0', '-1', '1.5', '', 'x', '1e9'])
    expect(() => limitOf('--limit', text)).toThrow(refusal);
});

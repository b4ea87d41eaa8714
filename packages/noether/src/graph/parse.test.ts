import { describe, expect, it } from 'vitest';

import { GraphError } from './errors.ts';
import { findJsonFault } from './json-position.ts';
import { parseGraph } from './parse.ts';

function issues(source: unknown): readonly string[] {
  try {
    parseGraph(source, 'g.json');
  } catch (error) {
    if (!(error instanceof GraphError) || error.code !== 'GRAPH_INVALID') throw error;
    return (error as GraphError<'GRAPH_INVALID'>).details.issues.map(
      ({ path, message }) => `${path}: ${message}`,
    );
  }
  return [];
}

const graph = (root: unknown, more: object = {}): unknown => ({
  description: '',
  version: '1',
  root,
  ...more,
});

describe('a graph as read', () => {
  it('names every issue with its place', () => {
    const root = {
      op: 'Let',
      bindings: {
        'a b': { op: 'Stage' },
        b: { op: 'Retry', stage: { op: 'Const', value: 1 }, max_attempts: -1 },
      },
      body: { op: 'Sequental', stages: [] },
    };

    expect(issues(graph(root))).toEqual([
      'root.bindings["a b"]: missing field `id`',
      'root.bindings.b.max_attempts: expected a whole number from 0 to 4294967295, got -1',
      'root.body: unknown variant `Sequental` for `op`, expected Sequential',
    ]);
  });

  it('says at which line and column the text stops being JSON', () => {
    expect(issues('{\n  "version": 1,\n}')).toEqual([
      ': line 3, column 1: not JSON, expected a key in double quotes',
    ]);
  });

  it('is missing what every graph has', () => {
    expect(issues({})).toEqual([
      ': missing field `description`',
      ': missing field `version`',
      ': missing field `root`',
    ]);
  });

  it('keeps names like __proto__ and orders names by their bytes', () => {
    const text = `{"description":"","version":"","root":{"op":"Parallel","branches":{"b":{"op":"Const","value":1},"10":{"op":"Const","value":{"__proto__":2}},"__proto__":{"op":"Const","value":3}}}}`;
    const { root } = parseGraph(text, 'g');

    expect(root.op === 'Parallel' && [...root.branches.keys()]).toEqual(['10', '__proto__', 'b']);
    expect(JSON.stringify(root.op === 'Parallel' ? root.branches.get('10') : null)).toContain('__proto__');
  });

  it.each([
    [
      { policy: { effect: [] } },
      'policy.effect: unknown policy, expected effects, capabilities, hosts, auth',
    ],
    [{ policy: { hosts: 'x' } }, 'policy.hosts: expected an array of strings, got string'],
    [
      { lease: { name: 'a', ttl_ms: 5000, renew_ms: 5000 } },
      'lease.renew_ms: expected less than ttl_ms (5000), got 5000',
    ],
  ])('refuses %j', (more, issue) => {
    expect(issues(graph({ op: 'Const', value: 1 }, more))).toEqual([issue]);
  });

  it.each([
    [{ timeout_ms: 0 }, 'root.timeout_ms: expected a whole number from 1 to 2147483647, got 0'],
    [{ timeout_ms: 1.5 }, 'root.timeout_ms: expected a whole number from 1 to 2147483647, got 1.5'],
    [{ retry_on: [] }, 'root.retry_on: expected "retryable" or a list of error codes, got []'],
    [{ retry_on: 'always' }, 'root.retry_on: expected "retryable" or a list of error codes, got always'],
  ])('refuses the limit %j', (more, issue) => {
    const root = { op: 'Retry', stage: { op: 'Const', value: 1 }, max_attempts: 2, ...more };

    expect(issues(graph(root))).toEqual([issue]);
  });

  it('has no limits where they are null', () => {
    const { root } = parseGraph(graph({ op: 'Const', value: 1, timeout_ms: null }), 'g');

    expect(root).toEqual({ op: 'Const', value: 1 });
  });

  it('renews a lease at a third of its time unless told', () => {
    expect(parseGraph(graph({ op: 'Const', value: 1 }, { lease: { name: 'a' } }), 'g').lease).toEqual({
      name: 'a',
      ttl_ms: 30_000,
      renew_ms: 10_000,
    });
  });
});

describe('the first fault of a text', () => {
  it.each(['{"a":[1,2,{"b":null}],"c":"\\u00e9\\n"}', ' -1.5e+3 ', '""', 'true'])('is none in %s', (text) => {
    expect(findJsonFault(text)).toBeNull();
  });

  it.each([
    ['[1,]', 4],
    ['{"a" 1}', 6],
    ['[1 2]', 4],
    ['"a', 1],
    ['01', 2],
    ['', 1],
    ['{} x', 4],
  ])('of %j is at column %i', (text, column) => {
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(findJsonFault(text)?.column).toBe(column);
  });
});

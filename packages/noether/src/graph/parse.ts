import type { Json } from '../ports.ts';
import { NType } from '../types/ntype.ts';
import { isObject, jsonKind } from '../types/value.ts';
import type { Graph, GraphNode, LeaseSpec, NodeMap, Policy, Projection } from './ast.ts';
import { GraphError, type GraphIssue } from './errors.ts';
import { findJsonFault } from './json-position.ts';
import { nearest } from './resolve.ts';
import { childPath } from './walk.ts';

/** Shortest lease a graph may ask for, ms: below it renewing cannot keep up with a busy process. */
const MIN_TTL_MS = 1000;
const DEFAULT_TTL_MS = 30_000;
const U32_MAX = 4_294_967_295;

type Fields = { readonly [key: string]: Json };

/** Reads a graph from text or parsed JSON. `where` names it in errors. Throws GRAPH_INVALID with every issue. */
export function parseGraph(source: unknown, where: string): Graph {
  const issues: GraphIssue[] = [];
  const graph = readGraph(
    new Reader(issues),
    typeof source === 'string' ? readText(source, where) : (source as Json),
  );
  if (issues.length > 0 || graph === null) {
    throw new GraphError(
      'GRAPH_INVALID',
      { where, issues },
      { hint: 'docs/compositions.md describes every node' },
    );
  }
  return graph;
}

function readText(text: string, where: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const fault = findJsonFault(text);
    const message = fault
      ? `line ${fault.line}, column ${fault.column}: not JSON, expected ${fault.expected}`
      : 'the text is not JSON';
    throw new GraphError('GRAPH_INVALID', { where, issues: [{ path: '', message }] }, { cause });
  }
}

/** Collects issues while fields are read; a bad field gives a stand-in, so that reading goes on. */
class Reader {
  readonly issues: GraphIssue[];

  constructor(issues: GraphIssue[]) {
    this.issues = issues;
  }

  issue(path: string, message: string): void {
    this.issues.push({ path, message });
  }

  required(at: Fields, path: string, key: string): Json | undefined {
    if (Object.hasOwn(at, key)) return at[key];
    this.issue(path, `missing field \`${key}\``);
    return undefined;
  }

  wrong(path: string, expected: string, value: Json): void {
    this.issue(path, `expected ${expected}, got ${jsonKind(value)}`);
  }

  text(at: Fields, path: string, key: string): string {
    const value = this.required(at, path, key);
    if (typeof value === 'string') return value;
    if (value !== undefined) this.wrong(childPath(path, key), 'a string', value);
    return '';
  }

  oneOf<T extends string>(at: Fields, path: string, key: string, words: readonly T[], fallback: T): T {
    const value = at[key];
    if (value === undefined) return fallback;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const known = words.map((word) => `\`${word}\``).join(' or ');
    this.issue(childPath(path, key), `unknown variant \`${String(value)}\`, expected ${known}`);
    return fallback;
  }

  integer(
    at: Fields,
    path: string,
    key: string,
    range: readonly [number, number],
    fallback?: number,
  ): number {
    const value = fallback === undefined ? this.required(at, path, key) : (at[key] ?? fallback);
    const [min, max] = range;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    if (value !== undefined)
      this.issue(
        childPath(path, key),
        `expected a whole number from ${min} to ${max}, got ${JSON.stringify(value)}`,
      );
    return min;
  }

  optionalNumber(at: Fields, path: string, key: string, min: number, whole: boolean): number | null {
    const value = at[key] ?? null;
    if (value === null) return null;
    if (typeof value === 'number' && value >= min && (!whole || Number.isInteger(value))) return value;
    this.issue(
      childPath(path, key),
      `expected ${whole ? 'a whole number' : 'a number'} of at least ${min}, got ${JSON.stringify(value)}`,
    );
    return null;
  }

  node(at: Fields, path: string, key: string): GraphNode {
    const value = this.required(at, path, key);
    return value === undefined ? STAND_IN : readNode(this, value, childPath(path, key));
  }

  nodes(at: Fields, path: string, key: string): readonly GraphNode[] {
    const value = this.required(at, path, key);
    if (value === undefined) return [];
    if (Array.isArray(value))
      return value.map((item, i) => readNode(this, item as Json, `${childPath(path, key)}[${i}]`));
    this.wrong(childPath(path, key), 'an array of nodes', value);
    return [];
  }

  map<T>(
    at: Fields,
    path: string,
    key: string,
    read: (value: Json, path: string) => T,
  ): ReadonlyMap<string, T> {
    const value = this.required(at, path, key);
    if (value === undefined) return new Map();
    const place = childPath(path, key);
    if (isObject(value)) {
      return new Map(
        Object.entries(value)
          .toSorted(([a], [b]) => byBytes(a, b))
          .map(([name, item]) => [name, read(item, childPath(place, name))]),
      );
    }
    this.wrong(place, 'an object', value);
    return new Map();
  }

  type(at: Fields, path: string, key: string): NType {
    const value = this.required(at, path, key);
    if (value === undefined) return { kind: 'Any' };
    const parsed = NType.safeParse(value);
    if (parsed.success) return parsed.data;
    this.issue(
      childPath(path, key),
      `expected a type like {"kind":"Text"}, got ${JSON.stringify(value).slice(0, 80)}`,
    );
    return { kind: 'Any' };
  }
}

/** Order of names by their UTF-8 bytes, which is the order of code points. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const STAND_IN: GraphNode = { op: 'Const', value: null };

const OPS: Readonly<Record<GraphNode['op'], (reader: Reader, at: Fields, path: string) => GraphNode>> = {
  Stage: (reader, at, path) => ({
    op: 'Stage',
    id: reader.text(at, path, 'id'),
    pinning: reader.oneOf(at, path, 'pinning', ['signature', 'both'], 'signature'),
    config: readConfig(reader, at, path),
  }),
  RemoteStage: (reader, at, path) => ({
    op: 'RemoteStage',
    url: reader.text(at, path, 'url'),
    input: reader.type(at, path, 'input'),
    output: reader.type(at, path, 'output'),
  }),
  Const: (reader, at, path) => ({ op: 'Const', value: reader.required(at, path, 'value') ?? null }),
  Sequential: (reader, at, path) => ({ op: 'Sequential', stages: reader.nodes(at, path, 'stages') }),
  Parallel: (reader, at, path) => ({ op: 'Parallel', branches: readNodeMap(reader, at, path, 'branches') }),
  Branch: (reader, at, path) => ({
    op: 'Branch',
    predicate: reader.node(at, path, 'predicate'),
    if_true: reader.node(at, path, 'if_true'),
    if_false: reader.node(at, path, 'if_false'),
  }),
  Fanout: (reader, at, path) => ({
    op: 'Fanout',
    source: reader.node(at, path, 'source'),
    targets: reader.nodes(at, path, 'targets'),
  }),
  Merge: (reader, at, path) => ({
    op: 'Merge',
    sources: reader.nodes(at, path, 'sources'),
    target: reader.node(at, path, 'target'),
  }),
  Retry: (reader, at, path) => ({
    op: 'Retry',
    stage: reader.node(at, path, 'stage'),
    max_attempts: reader.integer(at, path, 'max_attempts', [0, U32_MAX]),
    delay_ms: reader.optionalNumber(at, path, 'delay_ms', 0, true),
    backoff: reader.optionalNumber(at, path, 'backoff', 1, false),
    max_delay_ms: reader.optionalNumber(at, path, 'max_delay_ms', 0, true),
  }),
  Let: (reader, at, path) => ({
    op: 'Let',
    bindings: readNodeMap(reader, at, path, 'bindings'),
    body: reader.node(at, path, 'body'),
  }),
  Map: (reader, at, path) => ({
    op: 'Map',
    over: reader.text(at, path, 'over'),
    as: reader.text(at, path, 'as'),
    stage: reader.node(at, path, 'stage'),
    concurrency: reader.integer(at, path, 'concurrency', [1, 64], 1),
    on_error: reader.oneOf(at, path, 'on_error', ['fail', 'collect'], 'fail'),
  }),
  Project: (reader, at, path) => ({
    op: 'Project',
    fields: reader.map(at, path, 'fields', (value, place) => readProjection(reader, value, place)),
  }),
};

function readNode(reader: Reader, value: Json, path: string): GraphNode {
  if (!isObject(value)) {
    reader.wrong(path, 'a node', value);
    return STAND_IN;
  }
  const { op } = value;
  if (typeof op === 'string' && Object.hasOwn(OPS, op))
    return OPS[op as GraphNode['op']](reader, value, path);
  const names = Object.keys(OPS);
  const close = typeof op === 'string' ? nearest(op, names) : [];
  const what = op === undefined ? 'missing field `op`' : `unknown variant \`${String(op)}\` for \`op\``;
  reader.issue(path, `${what}, expected ${(close.length > 0 ? close : names).join(', ')}`);
  return STAND_IN;
}

function readNodeMap(reader: Reader, at: Fields, path: string, key: string): NodeMap {
  return reader.map(at, path, key, (value, place) => readNode(reader, value, place));
}

function readConfig(reader: Reader, at: Fields, path: string): Fields | null {
  const value = at['config'] ?? null;
  if (value === null || isObject(value)) return value;
  reader.wrong(`${path}.config`, 'an object', value);
  return null;
}

function readProjection(reader: Reader, value: Json, path: string): Projection {
  if (isObject(value)) {
    const { path: from } = value;
    if (Object.hasOwn(value, 'value') && from === undefined) return { value: value['value'] ?? null };
    if (typeof from === 'string' && !Object.hasOwn(value, 'value')) return { path: from };
  }
  reader.issue(path, 'expected {"path": "a.b"} or {"value": …}');
  return { value: null };
}

function readGraph(reader: Reader, value: Json): Graph | null {
  if (!isObject(value)) {
    reader.wrong('', 'a graph object', value);
    return null;
  }
  const top = { ...value };
  return {
    description: reader.text(top, '', 'description'),
    version: reader.text(top, '', 'version'),
    root: Object.hasOwn(top, 'root') ? readNode(reader, top['root'] ?? null, 'root') : missingRoot(reader),
    policy: readPolicy(reader, top['policy'] ?? null),
    lease: readLease(reader, top['lease'] ?? null),
  };
}

function missingRoot(reader: Reader): GraphNode {
  reader.issue('', 'missing field `root`');
  return STAND_IN;
}

function readPolicy(reader: Reader, value: Json): Policy | null {
  if (value === null) return null;
  if (!isObject(value)) {
    reader.wrong('policy', 'an object', value);
    return null;
  }
  const known = ['effects', 'capabilities', 'hosts', 'auth'];
  const lists = Object.entries(value).filter(([, list]) => list !== null);
  for (const [key, words] of lists) {
    // A misspelled list would allow what it meant to forbid.
    if (!known.includes(key))
      reader.issue(childPath('policy', key), `unknown policy, expected ${known.join(', ')}`);
    else if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) {
      reader.wrong(childPath('policy', key), 'an array of strings', words);
    }
  }
  return Object.fromEntries(lists);
}

function readLease(reader: Reader, value: Json): LeaseSpec | null {
  if (value === null) return null;
  if (!isObject(value)) {
    reader.wrong('lease', 'an object', value);
    return null;
  }
  const ttl_ms = reader.integer(value, 'lease', 'ttl_ms', [MIN_TTL_MS, U32_MAX], DEFAULT_TTL_MS);
  const renew_ms = reader.integer(value, 'lease', 'renew_ms', [1, U32_MAX], Math.floor(ttl_ms / 3));
  if (renew_ms >= ttl_ms)
    reader.issue('lease.renew_ms', `expected less than ttl_ms (${ttl_ms}), got ${renew_ms}`);
  return { name: reader.text(value, 'lease', 'name'), ttl_ms, renew_ms };
}

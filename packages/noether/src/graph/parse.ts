import type { Json } from '../ports.ts';
import { jsonFault } from '../types/json-fault.ts';
import { isObject, oneZero } from '../types/json-kind.ts';
import { nearest } from '../types/nearest.ts';
import type { Graph, GraphNode, LeaseSpec, NodeMap, Policy, Projection, RetryNode } from './ast.ts';
import { GraphError, type GraphIssue } from './errors.ts';
import { type DuplicateKey, scanJson } from './json-position.ts';
import { type Duplicates, type Fields, Reader, shownWord } from './reader.ts';
import { childPath } from './walk.ts';

/** Shortest lease a graph may ask for, ms: below it renewing cannot keep up with a busy process. */
const MIN_TTL_MS = 1000;
const DEFAULT_TTL_MS = 30_000;
/** Longest delay a timer of Node takes, ms. */
const MAX_TIMEOUT_MS = 2_147_483_647;
const U32_MAX = 4_294_967_295;

/** Reads a graph from text or parsed JSON. `where` names it in errors. Throws GRAPH_INVALID with every issue. */
export function parseGraph(source: unknown, where: string): Graph {
  const issues: GraphIssue[] = [];
  const { value, duplicates } =
    typeof source === 'string' ? readText(source, where) : { value: source, duplicates: NO_DUPLICATES };
  const fault = jsonFault(value);
  if (fault) {
    const message = `expected ${fault.expected}, got ${fault.actual}`;
    throw new GraphError('GRAPH_INVALID', { where, issues: [{ path: fault.path, message }] });
  }
  const graph = readGraph(new Reader(issues, duplicates), value as Json);
  if (issues.length > 0 || graph === null) {
    throw new GraphError(
      'GRAPH_INVALID',
      { where, issues },
      { hint: 'docs/compositions.md describes every node' },
    );
  }
  return graph;
}

const NO_DUPLICATES: Duplicates = new Map();

function readText(text: string, where: string): { readonly value: unknown; readonly duplicates: Duplicates } {
  // A byte order mark is no part of the JSON behind it.
  const json = text.startsWith('\uFEFF') ? text.slice(1) : text;
  try {
    const value: unknown = JSON.parse(json);
    const { duplicates } = scanJson(json);
    return { value, duplicates: duplicates.length === 0 ? NO_DUPLICATES : byObject(value, duplicates) };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    const { fault } = scanJson(json);
    const message = fault
      ? `line ${fault.line}, column ${fault.column}: not JSON, expected ${fault.expected}`
      : 'the text is not JSON';
    throw new GraphError('GRAPH_INVALID', { where, issues: [{ path: '', message }] }, { cause });
  }
}

function byObject(value: unknown, duplicates: readonly DuplicateKey[]): Duplicates {
  const found = new Map<object, DuplicateKey[]>();
  for (const duplicate of duplicates) {
    const at = duplicate.steps.reduce<unknown>(
      (inner, step) => (Object(inner) as { readonly [step: string | number]: unknown })[step],
      value,
    );
    if (typeof at === 'object' && at !== null) found.set(at, [...(found.get(at) ?? []), duplicate]);
  }
  return found;
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
    ...readAuth(reader, at, path),
  }),
  Const: (reader, at, path) => ({ op: 'Const', value: oneZero(reader.required(at, path, 'value') ?? null) }),
  Sequential: (reader, at, path) => ({ op: 'Sequential', stages: readNodes(reader, at, path, 'stages') }),
  Parallel: (reader, at, path) => ({ op: 'Parallel', branches: readNodeMap(reader, at, path, 'branches') }),
  Branch: (reader, at, path) => ({
    op: 'Branch',
    predicate: readChild(reader, at, path, 'predicate'),
    if_true: readChild(reader, at, path, 'if_true'),
    if_false: readChild(reader, at, path, 'if_false'),
  }),
  Fanout: (reader, at, path) => ({
    op: 'Fanout',
    source: readChild(reader, at, path, 'source'),
    targets: readNodes(reader, at, path, 'targets'),
  }),
  Merge: (reader, at, path) => ({
    op: 'Merge',
    sources: readNodes(reader, at, path, 'sources'),
    target: readChild(reader, at, path, 'target'),
  }),
  Retry: (reader, at, path) => ({
    op: 'Retry',
    stage: readChild(reader, at, path, 'stage'),
    max_attempts: reader.integer(at, path, 'max_attempts', [0, U32_MAX]),
    delay_ms: reader.optionalNumber(at, path, 'delay_ms', 0, true),
    backoff: reader.optionalNumber(at, path, 'backoff', 1, false),
    max_delay_ms: reader.optionalNumber(at, path, 'max_delay_ms', 0, true),
    ...readRetryOn(reader, at, path),
  }),
  Let: (reader, at, path) => ({
    op: 'Let',
    bindings: readNodeMap(reader, at, path, 'bindings'),
    body: readChild(reader, at, path, 'body'),
  }),
  Map: (reader, at, path) => ({
    op: 'Map',
    over: reader.text(at, path, 'over'),
    as: reader.text(at, path, 'as'),
    stage: readChild(reader, at, path, 'stage'),
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
  reader.once(value, path);
  const { op } = value;
  if (typeof op === 'string' && Object.hasOwn(OPS, op)) {
    const node = OPS[op as GraphNode['op']](reader, value, path);
    if ((value['timeout_ms'] ?? null) === null) return node;
    return { ...node, timeout_ms: reader.integer(value, path, 'timeout_ms', [1, MAX_TIMEOUT_MS]) };
  }
  const names = Object.keys(OPS);
  const close = typeof op === 'string' ? nearest(op, names) : [];
  const what = op === undefined ? 'missing field `op`' : `unknown variant \`${shownWord(op)}\` for \`op\``;
  reader.issue(path, `${what}, expected ${(close.length > 0 ? close : names).join(', ')}`);
  return STAND_IN;
}

function readChild(reader: Reader, at: Fields, path: string, key: string): GraphNode {
  const value = reader.required(at, path, key);
  return value === undefined ? STAND_IN : readNode(reader, value, childPath(path, key));
}

function readNodes(reader: Reader, at: Fields, path: string, key: string): readonly GraphNode[] {
  return reader.list(at, path, key, (value, place) => readNode(reader, value, place));
}

function readNodeMap(reader: Reader, at: Fields, path: string, key: string): NodeMap {
  return reader.map(at, path, key, (value, place) => readNode(reader, value, place));
}

function readConfig(reader: Reader, at: Fields, path: string): Fields | null {
  const value = at['config'] ?? null;
  if (value === null) return null;
  if (isObject(value)) return oneZero(value) as Fields;
  reader.wrong(`${path}.config`, 'an object', value);
  return null;
}

function readAuth(reader: Reader, at: Fields, path: string): { readonly auth?: string } {
  return (at['auth'] ?? null) === null ? {} : { auth: reader.word(at, path, 'auth') };
}

function readRetryOn(reader: Reader, at: Fields, path: string): Pick<RetryNode, 'retry_on'> {
  const value = at['retry_on'] ?? null;
  if (value === null) return {};
  if (value === 'retryable') return { retry_on: value };
  const codes = Array.isArray(value) ? (value as readonly Json[]) : [];
  const words = codes.filter((code) => typeof code === 'string' && code !== '') as readonly string[];
  if (words.length > 0 && words.length === codes.length) return { retry_on: words };
  reader.issue(
    childPath(path, 'retry_on'),
    `expected "retryable" or a list of error codes, got ${shownWord(value)}`,
  );
  return {};
}

function readProjection(reader: Reader, value: Json, path: string): Projection {
  if (isObject(value)) {
    const { path: from } = value;
    reader.once(value, path);
    if (Object.hasOwn(value, 'value') && from === undefined)
      return { value: oneZero(value['value'] ?? null) };
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
  reader.once(value, '');
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
  reader.once(value, 'policy');
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
  reader.once(value, 'lease');
  const ttl_ms = reader.integer(value, 'lease', 'ttl_ms', [MIN_TTL_MS, U32_MAX], DEFAULT_TTL_MS);
  const renew_ms = reader.integer(value, 'lease', 'renew_ms', [1, U32_MAX], Math.floor(ttl_ms / 3));
  if (renew_ms >= ttl_ms)
    reader.issue('lease.renew_ms', `expected less than ttl_ms (${ttl_ms}), got ${renew_ms}`);
  return { name: reader.text(value, 'lease', 'name'), ttl_ms, renew_ms };
}

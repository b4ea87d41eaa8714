import { nearest } from '../types/nearest.ts';
import { ANY, NType, record } from '../types/ntype.ts';
import { isObject } from '../types/value.ts';

/** Kinds a spec file may write as a bare word. */
const WORDS = ['Any', 'Bool', 'Bytes', 'Null', 'Number', 'Text', 'VNode'] as const;
/** Kinds a spec file may write as the only key of an object. */
const SHAPES = ['List', 'Stream', 'Map', 'Record', 'Union'] as const;
/** Deepest type of a spec file; a deeper one is no one's. */
const MAX_DEPTH = 64;

/** Is told what of a type cannot be read: where in it, as `.Record[1][1]`, and why. */
export type TypeIssue = (path: string, reason: string) => void;

/**
 * The type a spec file writes in shorthand (`"Text"`, `{"List": T}`, `{"Map": [K, V]}`, `{"Record": [["f", T], …]}`, `{"Union": […]}`)
 * or as canonical JSON (`{"kind": …}`), mixed at any depth. Unions keep their order. What cannot be read is noted and stands as Any.
 */
export function readTypeSpec(spec: unknown, note: TypeIssue, path = '', depth = 0): NType {
  const fail: Fail = (at, reason) => {
    note(at, reason);
    return ANY;
  };
  if (depth > MAX_DEPTH) return fail(path, `a type is at most ${MAX_DEPTH} deep`);
  if (typeof spec === 'string') return wordType(spec, path, fail);
  if (!isObject(spec)) return fail(path, 'expected a type: a word as "Text", or an object');
  const within =
    (step: string): Inner =>
    (value, at) =>
      readTypeSpec(value, note, `${path}.${step}${at}`, depth + 1);
  if (Object.hasOwn(spec, 'kind')) return canonicalType(spec, path, within('value'), fail);
  const [key = '', ...others] = Object.keys(spec);
  if (others.length > 0 || !SHAPES.some((shape) => shape === key))
    return fail(
      path,
      `expected one of the keys ${SHAPES.join(', ')} or kind, got ${[key, ...others].join(', ') || 'none'}${suggestion(key, SHAPES)}`,
    );
  return shapeType(key, spec[key], { inner: within(key), fail, path: `${path}.${key}` });
}

function suggestion(word: string, words: readonly string[]): string {
  const [close] = nearest(word, words);
  return close === undefined || close === word ? '' : `; did you mean ${close}?`;
}

function wordType(word: string, path: string, fail: Fail): NType {
  const kind = WORDS.find((known) => known === word);
  if (kind !== undefined) return { kind };
  return fail(
    path,
    `${JSON.stringify(word)} is no type; known are ${WORDS.join(', ')}${suggestion(word, WORDS)}`,
  );
}

/** Reads a type inside another; `at` is the step to it. */
type Inner = (value: unknown, at: string) => NType;
type Fail = (path: string, reason: string) => NType;

/** Where a shape stands, and how what is inside it is read. */
interface Place {
  readonly inner: Inner;
  readonly fail: Fail;
  readonly path: string;
}

function shapeType(key: string, value: unknown, place: Place): NType {
  const { inner, fail, path } = place;
  switch (key) {
    case 'List':
    case 'Stream':
      return { kind: key, value: inner(value, '') };
    case 'Map': {
      if (!Array.isArray(value) || value.length !== 2) return fail(path, 'expected [key type, value type]');
      return { kind: 'Map', value: { key: inner(value[0], '[0]'), value: inner(value[1], '[1]') } };
    }
    case 'Union': {
      if (!Array.isArray(value)) return fail(path, 'expected a list of types');
      return { kind: 'Union', value: value.map((item, i) => inner(item, `[${i}]`)) };
    }
    default:
      return recordType(value, place);
  }
}

function recordType(value: unknown, { inner, fail, path }: Place): NType {
  if (!Array.isArray(value))
    return fail(
      path,
      'expected a list of [field, type] pairs; the object form is the canonical {"kind":"Record","value":{…}}',
    );
  const fields = value.map((pair: unknown, i): readonly [string, NType] => {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string')
      return ['', fail(`${path}[${i}]`, 'expected a [field, type] pair')];
    return [pair[0], inner(pair[1], `[${i}][1]`)];
  });
  const twice = fields.find(([name], i) => fields.findIndex(([other]) => other === name) < i);
  if (twice !== undefined) return fail(path, `field ${JSON.stringify(twice[0])} is there twice`);
  return record(Object.fromEntries(fields));
}

/** Canonical JSON whose inner types may be shorthand. */
function canonicalType(
  spec: { readonly [key: string]: unknown },
  path: string,
  inner: Inner,
  fail: Fail,
): NType {
  const { kind, value } = spec;
  const parsed = NType.safeParse(
    value === undefined ? spec : { ...spec, value: canonicalValue(kind, value, inner) },
  );
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = [path, ...(issue?.path ?? []).map(String)].join('.');
  return fail(at, typeof kind === 'string' ? (issue?.message ?? 'no type') : 'expected a kind that is text');
}

function canonicalValue(kind: unknown, value: unknown, inner: Inner): unknown {
  switch (kind) {
    case 'List':
    case 'Stream':
      return inner(value, '');
    case 'Map':
      return isObject(value)
        ? { ...value, key: inner(value['key'], '.key'), value: inner(value['value'], '.value') }
        : value;
    case 'Union':
      return Array.isArray(value) ? value.map((item, i) => inner(item, `[${i}]`)) : value;
    case 'Record':
      return isObject(value) ? canonicalFields(value, inner, '') : value;
    case 'RecordWith':
      return isObject(value) && isObject(value['fields'])
        ? { ...value, fields: canonicalFields(value['fields'], inner, '.fields') }
        : value;
    case 'Refined':
      return isObject(value) ? { ...value, base: inner(value['base'], '.base') } : value;
    default:
      return value;
  }
}

function canonicalFields(
  fields: { readonly [key: string]: unknown },
  inner: Inner,
  at: string,
): Readonly<Record<string, NType>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, type]) => [name, inner(type, `${at}.${name}`)]),
  );
}

import type { Json } from '../ports.ts';
import { nearest } from './nearest.ts';
import type { Fields, NType, PrimitiveKind, Refinement } from './ntype.ts';
import { isObject, jsonKind, oneZero } from './json-kind.ts';

/** Told of every place where a value is no type. */
export type Issue = (steps: readonly (string | number)[], message: string) => void;

const PRIMITIVES: readonly PrimitiveKind[] = ['Any', 'Bool', 'Bytes', 'Null', 'Number', 'Text', 'VNode'];
const KINDS: readonly NType['kind'][] = [
  ...PRIMITIVES,
  'List',
  'Stream',
  'Map',
  'Record',
  'Union',
  'Var',
  'RecordWith',
  'Refined',
];
const REFINEMENTS: readonly Refinement['kind'][] = ['Range', 'OneOf', 'NonEmpty'];

type Steps = readonly (string | number)[];
type Members = { readonly [key: string]: Json };

/** Reads the wire form of a type; a bad part is told of and stands as Any. Extra keys are dropped, unions keep their order. */
export function readType(value: Json, steps: Steps, issue: Issue): NType {
  const any: NType = { kind: 'Any' };
  if (!isObject(value)) {
    issue(
      steps,
      `invalid type: ${shown(value)}, expected adjacently tagged enum NType, like {"kind":"Text"}`,
    );
    return any;
  }
  const kind = wordIn(value, KINDS, steps, issue);
  if (kind === null) return any;
  const content = value['value'];
  if (isPrimitive(kind)) {
    if ((content ?? null) !== null)
      issue([...steps, 'value'], `${kind} has no value, got ${jsonKind(content)}`);
    return { kind };
  }
  if (content === undefined) {
    issue(steps, `missing field \`value\` of ${kind}`);
    return any;
  }
  return readContent(kind, content, [...steps, 'value'], issue);
}

function readContent(
  kind: Exclude<NType['kind'], PrimitiveKind>,
  value: Json,
  steps: Steps,
  issue: Issue,
): NType {
  switch (kind) {
    case 'List':
    case 'Stream':
      return { kind, value: readType(value, steps, issue) };
    case 'Record':
      return { kind, value: readFields(value, steps, issue) };
    case 'Var':
      return { kind, value: readText(value, steps, issue) };
    case 'Union':
      if (Array.isArray(value))
        return { kind, value: value.map((item, i) => readType(item as Json, [...steps, i], issue)) };
      issue(steps, `expected an array of types, got ${jsonKind(value)}`);
      return { kind, value: [] };
    case 'Map': {
      const [key, item] = readParts(value, ['key', 'value'], steps, issue);
      return {
        kind,
        value: {
          key: readType(key, [...steps, 'key'], issue),
          value: readType(item, [...steps, 'value'], issue),
        },
      };
    }
    case 'RecordWith': {
      const [fields, rest] = readParts(value, ['fields', 'rest'], steps, issue);
      return {
        kind,
        value: {
          fields: readFields(fields, [...steps, 'fields'], issue),
          rest: readText(rest, [...steps, 'rest'], issue),
        },
      };
    }
    case 'Refined': {
      const [base, refinement] = readParts(value, ['base', 'refinement'], steps, issue);
      return {
        kind,
        value: {
          base: readType(base, [...steps, 'base'], issue),
          refinement: readRefinement(refinement, [...steps, 'refinement'], issue),
        },
      };
    }
  }
}

function readRefinement(value: Json, steps: Steps, issue: Issue): Refinement {
  const stand_in: Refinement = { kind: 'Range' };
  if (!isObject(value)) {
    issue(steps, `expected a refinement like {"kind":"NonEmpty"}, got ${shown(value)}`);
    return stand_in;
  }
  const kind = wordIn(value, REFINEMENTS, steps, issue);
  switch (kind) {
    case null:
      return stand_in;
    case 'NonEmpty':
      return { kind };
    case 'OneOf': {
      const { options } = value;
      if (Array.isArray(options)) return { kind, options: oneZero(options) as readonly Json[] };
      issue([...steps, 'options'], `expected an array, got ${jsonKind(options)}`);
      return stand_in;
    }
    case 'Range': {
      const bounds = (['min', 'max'] as const).flatMap((name) => {
        const bound = value[name] ?? null;
        if (bound === null) return [];
        if (typeof bound === 'number') return [[name, bound + 0]];
        issue([...steps, name], `expected a number, got ${jsonKind(bound)}`);
        return [];
      });
      return { kind, ...(Object.fromEntries(bounds) as { min?: number; max?: number }) };
    }
  }
}

/** The kind of a type or refinement; null and an issue where it is none of those. */
function wordIn<T extends string>(value: Members, words: readonly T[], steps: Steps, issue: Issue): T | null {
  const { kind } = value;
  const found = words.find((word) => word === kind);
  if (found !== undefined) return found;
  if (kind === undefined) issue(steps, `missing field \`kind\`, expected ${words.join(', ')}`);
  else {
    const close = typeof kind === 'string' ? nearest(kind, words) : [];
    const known = (close.length > 0 ? close : words).join(', ');
    issue([...steps, 'kind'], `unknown variant \`${word(kind)}\`, expected ${known}`);
  }
  return null;
}

function readFields(value: Json, steps: Steps, issue: Issue): Fields {
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, type]) => [name, readType(type, [...steps, name], issue)]),
    );
  }
  issue(steps, `expected an object of types by field, got ${jsonKind(value)}`);
  return {};
}

function readParts(
  value: Json,
  names: readonly [string, string],
  steps: Steps,
  issue: Issue,
): readonly [Json, Json] {
  const members = isObject(value) ? value : {};
  const missing = names.filter((name) => !Object.hasOwn(members, name));
  if (!isObject(value))
    issue(steps, `expected an object with ${names.join(' and ')}, got ${jsonKind(value)}`);
  else if (missing.length > 0)
    issue(steps, `missing field ${missing.map((name) => `\`${name}\``).join(' and ')}`);
  // What is missing was told of; the stand-ins are read without another word.
  const quiet: Json = { kind: 'Any' };
  const stand_ins: Members = { fields: {}, rest: '', refinement: { kind: 'NonEmpty' } };
  const [first, second] = names.map((name) => members[name] ?? stand_ins[name] ?? quiet);
  return [first ?? quiet, second ?? quiet];
}

function readText(value: Json, steps: Steps, issue: Issue): string {
  if (typeof value === 'string') return value;
  issue(steps, `expected a string, got ${jsonKind(value)}`);
  return '';
}

function isPrimitive(kind: NType['kind']): kind is PrimitiveKind {
  return PRIMITIVES.some((primitive) => primitive === kind);
}

function word(value: Json): string {
  const text = typeof value === 'string' ? value : jsonKind(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** A value in few words, of readable length. */
function shown(value: Json): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : jsonKind(value);
  const kind = typeof value === 'string' ? 'string ' : '';
  return `${kind}${text.length > 80 ? `${text.slice(0, 80)}…` : text}`;
}

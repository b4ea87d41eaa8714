import { z } from 'zod';

import { canonicalJson } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { isObject } from '../types/value.ts';

const KINDS = ['null', 'bool', 'number', 'string', 'array', 'object'] as const;
/** `input` or `output`, then fields of objects, joined by dots. */
const Path = z
  .string()
  .regex(/^(?:input|output)(?:\..+)?$/u, 'expected a path that begins with input or output');

/** What holds of every example of a stage: the original's six relations and two comparisons, by `kind`. */
export const StageProperty = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('set_member'), field: Path, set: z.array(z.custom<Json>()) }),
  z.object({
    kind: z.literal('range'),
    field: Path,
    min: z.number().nullish(),
    max: z.number().nullish(),
  }),
  z.object({ kind: z.literal('field_length_eq'), left_field: Path, right_field: Path }),
  z.object({ kind: z.literal('field_length_max'), subject_field: Path, bound_field: Path }),
  z.object({ kind: z.literal('subset_of'), subject_field: Path, super_field: Path }),
  z.object({ kind: z.literal('equals'), left_field: Path, right_field: Path }),
  z.object({ kind: z.literal('field_type_in'), field: Path, allowed: z.array(z.enum(KINDS)) }),
]);
export type StageProperty = z.infer<typeof StageProperty>;

/** A declared property: one that is understood, one of a kind nothing is known of, or one of a known kind that is malformed. */
export type DeclaredProperty =
  | { readonly known: true; readonly property: StageProperty }
  | { readonly known: false; readonly kind: string; readonly issues: readonly string[] };

const KNOWN: ReadonlySet<string> = new Set(StageProperty.options.map(({ shape }) => shape.kind.value));

/** Reads a declared property. One of an unknown kind has no issues: it is kept and never fails. */
export function readProperty(declared: unknown): DeclaredProperty {
  const kind = isObject(declared) && typeof declared['kind'] === 'string' ? declared['kind'] : null;
  if (kind === null) return { known: false, kind: '', issues: ['a property is an object with a kind'] };
  if (!KNOWN.has(kind)) return { known: false, kind, issues: [] };
  const parsed = StageProperty.safeParse(declared);
  if (parsed.success) return { known: true, property: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  return { known: false, kind, issues };
}

/** One example of a stage. */
export interface PropertyExample {
  readonly input: Json;
  readonly output: Json;
}

/** Why an example breaks a property; null when it holds. */
export function propertyProblem(property: StageProperty, example: PropertyExample): string | null {
  const missing = pathsOf(property).find((path) => valueAt(path, example) === undefined);
  if (missing !== undefined) return `${missing} is not there`;
  return judge(property, (path) => valueAt(path, example) ?? null);
}

function pathsOf(property: StageProperty): readonly string[] {
  switch (property.kind) {
    case 'equals':
    case 'field_length_eq':
      return [property.left_field, property.right_field];
    case 'field_length_max':
      return [property.subject_field, property.bound_field];
    case 'subset_of':
      return [property.subject_field, property.super_field];
    default:
      return [property.field];
  }
}

/** The value at a path of objects; undefined where there is none. */
function valueAt(path: string, example: PropertyExample): Json | undefined {
  const [root = '', ...steps] = path.split('.');
  let value: Json = root === 'input' ? example.input : example.output;
  for (const step of steps) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step] ?? null;
  }
  return value;
}

function judge(property: StageProperty, at: (path: string) => Json): string | null {
  switch (property.kind) {
    case 'set_member': {
      const value = at(property.field);
      return property.set.some((entry) => same(entry as Json, value))
        ? null
        : `${property.field} is ${text(value)}, which is not in the set`;
    }
    case 'range':
      return outside(at(property.field), property);
    case 'equals': {
      const [left, right] = [at(property.left_field), at(property.right_field)];
      return same(left, right)
        ? null
        : `${property.left_field} is ${text(left)}, ${property.right_field} is ${text(right)}`;
    }
    case 'field_length_eq':
      return lengthProblem([property.left_field, property.right_field], at, (left, right) => left === right);
    case 'field_length_max':
      return lengthProblem(
        [property.subject_field, property.bound_field],
        at,
        (left, right) => left <= right,
      );
    case 'subset_of':
      return isWithin(at(property.subject_field), at(property.super_field))
        ? null
        : `${property.subject_field} is not within ${property.super_field}`;
    case 'field_type_in': {
      const kind = kindOf(at(property.field));
      return property.allowed.includes(kind)
        ? null
        : `${property.field} is of kind ${kind}, not ${property.allowed.join(' or ')}`;
    }
  }
}

function outside(value: Json, range: Extract<StageProperty, { kind: 'range' }>): string | null {
  const { field, min, max } = range;
  if (typeof value !== 'number') return `${field} is ${text(value)}, not a number`;
  if (typeof min === 'number' && value < min) return `${field} is ${value}, below ${min}`;
  if (typeof max === 'number' && value > max) return `${field} is ${value}, above ${max}`;
  return null;
}

function lengthProblem(
  [first, second]: readonly [string, string],
  at: (path: string) => Json,
  holds: (first: number, second: number) => boolean,
): string | null {
  const lengths = [first, second].map((path) => length(at(path)));
  const [a, b] = lengths;
  if (a === undefined || a === null) return `${first} is ${text(at(first))}, which has no length`;
  if (b === undefined || b === null) return `${second} is ${text(at(second))}, which has no length`;
  return holds(a, b) ? null : `${first} has length ${a}, ${second} has length ${b}`;
}

/** Code points of a text, elements of a list, keys of an object; null for what has no length. */
function length(value: Json): number | null {
  if (typeof value === 'string') return Array.from(value).length;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : null;
}

function isWithin(subject: Json, whole: Json): boolean {
  if (typeof subject === 'string') return typeof whole === 'string' && whole.includes(subject);
  if (Array.isArray(subject))
    return (
      Array.isArray(whole) &&
      subject.every((item) => whole.some((other) => same(item as Json, other as Json)))
    );
  if (!isObject(subject) || !isObject(whole)) return false;
  return Object.entries(subject).every(
    ([key, item]) => Object.hasOwn(whole, key) && same(item, whole[key] ?? null),
  );
}

function kindOf(value: Json): (typeof KINDS)[number] {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'number' : typeof value === 'string' ? 'string' : 'object';
}

function same(a: Json, b: Json): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** A value in a few words. */
function text(value: Json): string {
  const shown = canonicalJson(value);
  return shown.length > 40 ? `${shown.slice(0, 40)}…` : shown;
}

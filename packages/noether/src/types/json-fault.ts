import { jsonKind } from './json-kind.ts';

/** Deepest nesting of a graph, type or value, in levels of JSON; the original's reader stops at 128. */
export const MAX_NESTING = 512;

/** Where and why a value is no JSON this engine takes. */
export interface JsonValueFault {
  /** Dotted place inside the value; empty for the value itself. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

interface Open {
  readonly value: object;
  readonly keys: readonly string[] | null;
  next: number;
}

/**
 * The first fault of a value that is to be JSON: nesting over {@link MAX_NESTING} levels, a number JSON has not, half a
 * surrogate pair, or something that is no JSON at all. Null when there is none. Takes no stack: any depth is answered.
 */
export function jsonFault(value: unknown): JsonValueFault | null {
  const stack: Open[] = [];
  let fault = scalarFault(value);
  if (fault === null && typeof value === 'object' && value !== null) stack.push(open(value));
  while (fault === null) {
    const at = stack.at(-1);
    if (!at) return null;
    if (at.next === (at.keys ?? (at.value as readonly unknown[])).length) {
      stack.pop();
      continue;
    }
    const item = itemOf(at);
    fault = scalarFault(item);
    if (fault === null && typeof item === 'object' && item !== null) {
      if (stack.length === MAX_NESTING) fault = TOO_DEEP;
      else stack.push(open(item));
    }
  }
  return { path: pathOf(stack), expected: fault[0], actual: fault[1] };
}

type Fault = readonly [expected: string, actual: string];

const TOO_DEEP: Fault = [`JSON of at most ${MAX_NESTING} levels`, 'a deeper one'];

function scalarFault(value: unknown): Fault | null {
  switch (typeof value) {
    case 'string':
      return isWhole(value) ? null : ['whole characters', 'a string with half a surrogate pair'];
    case 'number':
      return Number.isFinite(value) ? null : ['a number JSON has', String(value)];
    case 'boolean':
      return null;
    case 'object':
      return value === null || Array.isArray(value) || isPlain(value)
        ? null
        : ['JSON', `an object of class ${nameOf(value)}`];
    default:
      return ['JSON', jsonKind(value)];
  }
}

function open(value: object): Open {
  return { value, keys: Array.isArray(value) ? null : Object.keys(value), next: 0 };
}

function itemOf(at: Open): unknown {
  const { next, keys, value } = at;
  at.next += 1;
  if (keys === null) return (value as readonly unknown[])[next];
  const key = keys[next] ?? '';
  // A key of half characters is as bad as such a value, and stands for it here.
  return isWhole(key) ? (value as { readonly [key: string]: unknown })[key] : key;
}

function pathOf(stack: readonly Open[]): string {
  const steps = stack.slice(0, 20).map(({ keys, next }, i) => {
    if (keys === null) return `[${next - 1}]`;
    const key = (keys[next - 1] ?? '').toWellFormed();
    return i === 0 ? key : `.${key}`;
  });
  return steps.join('') + (stack.length > steps.length ? '…' : '');
}

/** Whether every half of a surrogate pair in a text has its other half. */
function isWhole(text: string): boolean {
  return text.isWellFormed();
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function nameOf(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' ? constructor.name : 'no name';
}

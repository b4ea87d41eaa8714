import { canonicalJson } from '../canonical.ts';
import { nodeJson } from '../graph/print.ts';
import { parseGraph } from '../graph/parse.ts';
import { wordOf } from '../graph/reader.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import { isObject } from '../types/value.ts';
import type { Facts, OperatorCase } from './operator-case.ts';
import { complaintOf } from './parse-words.ts';

/** Compares what a case wants of a field with what was found; null when they agree, else both in words. */
type Compare = (wanted: Json, found: Facts, test: OperatorCase) => string | null;

function differ(wanted: unknown, found: unknown): string | null {
  const [left, right] = [canonicalJson(wanted), found === undefined ? 'nothing' : canonicalJson(found)];
  return left === right ? null : `wanted ${left}, found ${right}`;
}

const exactly =
  (field: string): Compare =>
  (wanted, found) =>
    differ(wanted, found[field]);

/** Variables the original numbers over a whole process have no fixed number. */
function unnumbered(value: Json | undefined): Json | undefined {
  return value === undefined
    ? undefined
    : (JSON.parse(JSON.stringify(value).replaceAll(/_any_\d+/gu, '_any_')) as Json);
}

const typed =
  (field: string): Compare =>
  (wanted, found) =>
    differ(unnumbered(wanted), unnumbered(found[field]));

function hasThreads(test: OperatorCase): boolean {
  const { root } = parseGraph({ description: '', version: '', root: test.root ?? null }, test.id);
  return [...walk(root)].some(({ node }) => node.op === 'Parallel' || node.op === 'Let');
}

/** Calls in order; without an order where threads race. */
const inOrder: Compare = (wanted, { received = [] }, test) => {
  if (!hasThreads(test)) return differ(wanted, received);
  return differ(rowsOf(wanted).sort(), rowsOf(received).sort());
};

/** The items of a list as texts. */
export function rowsOf(value: Json): string[] {
  return Array.isArray(value) ? value.map((item) => canonicalJson(item)) : [];
}

const error: Compare = (wanted, found) => {
  const { error: given, output } = found;
  if (!isObject(wanted)) return differ(wanted, given);
  if (!isObject(given))
    return `wanted an error ${canonicalJson(wanted)}, found the output ${canonicalJson(output)}`;
  const part = wanted['message_contains'] ?? '';
  if (!wordOf(given['display'] ?? null).includes(wordOf(part)))
    return `\`${wordOf(part)}\` is not in ${canonicalJson(given)}`;
  return differ(
    { kind: wanted['kind'], display: wanted['display'] ?? given['display'] },
    { kind: given['kind'], display: given['display'] },
  );
};

/** The ids an ambiguous prefix lists come in no order: the original's store is a hash map. */
const LISTED = /First few: (.*)$/u;

/** Errors whose text in the original is not known. */
const UNRECORDED = ['ImplementationNotFound', 'ImplementationNotActive'];

const resolveError: Compare = (wanted, { resolve_error: given }) => {
  if (!isObject(wanted) || !isObject(given)) return differ(wanted, given);
  const unordered = (text: string): string =>
    text.replace(LISTED, (_all, ids: string) => ids.split(', ').sort().join(', '));
  const shown = unordered(wordOf(wanted['display'] ?? given['display'] ?? null));
  const own = unordered(wordOf(given['display'] ?? null));
  // Of texts nobody recorded for us the beginning is known, or the stage they name.
  const named = /`[^`]*`/u.exec(own)?.[0] ?? own;
  const display = UNRECORDED.includes(wordOf(wanted['kind'] ?? '')) && shown.includes(named) ? shown : own;
  return differ({ kind: wanted['kind'], display: shown }, { kind: given['kind'], display });
};

const node =
  (field: string): Compare =>
  (wanted, found, test) => {
    const { root } = parseGraph({ description: '', version: '', root: wanted }, test.id);
    return differ(nodeJson(root), found[field]);
  };

/** The wording is the parser library's own; what it complains of is what counts. */
const complaint: Compare = (wanted, { parse_errors = [] }) => {
  const asked = complaintOf(wordOf(wanted));
  const found = (Array.isArray(parse_errors) ? parse_errors : []).map((message) =>
    complaintOf(wordOf(message as Json)),
  );
  // A type is refused whole, whatever inside it is wrong.
  const met = found.some(
    ({ kind, about }) =>
      kind === 'not a type' ||
      (asked.kind === 'wrong' && kind.startsWith('not a')) ||
      (asked.kind === 'not a variant' && kind === 'unknown variant') ||
      (kind === asked.kind && (asked.about === null || about === asked.about)),
  );
  return met ? null : `wanted ${JSON.stringify(asked)}, found ${JSON.stringify(found)}`;
};

const COMPARE: Readonly<Record<string, Compare>> = {
  output: (wanted, found) =>
    'error' in found
      ? `wanted ${canonicalJson(wanted)}, found ${canonicalJson(found['error'])}`
      : differ(wanted, found['output']),
  error,
  calls: exactly('calls'),
  received: inOrder,
  trace: exactly('trace'),
  trace_status: exactly('trace_status'),
  cache: exactly('cache'),
  spent_cents: exactly('spent_cents'),
  max_wall_ms: (wanted, found) =>
    Number(found['wall_ms']) <= Number(wanted)
      ? null
      : `took ${wordOf(found['wall_ms'] ?? null)} of ${wordOf(wanted)} ms`,
  check: typed('check'),
  check_errors: exactly('check_errors'),
  check_error_display: typed('check_error_display'),
  warnings: exactly('warnings'),
  warning_display: exactly('warning_display'),
  effects: exactly('effects'),
  effect_violations: exactly('effect_violations'),
  effect_violation_messages: exactly('effect_violation_messages'),
  capability_violations: exactly('capability_violations'),
  capability_violation_messages: exactly('capability_violation_messages'),
  resolve_error: resolveError,
  resolved_root: node('resolved_root'),
  optimized_root: node('optimized_root'),
  optimizer: exactly('optimizer'),
  passes_applied: exactly('passes_applied'),
  iterations: exactly('iterations'),
  hit_cap: exactly('hit_cap'),
  pin_rewrites: exactly('pin_rewrites'),
  dep_rewrites: exactly('dep_rewrites'),
  canonical_json: exactly('canonical_json'),
  composition_id: exactly('composition_id'),
  canonical: exactly('canonical'),
  parse_ok: exactly('parse_ok'),
  parse_error_contains: complaint,
  parse_error_display_serde_1_0_152: complaint,
};

/** Errors of ours have words of their own: the kind, the stage and the reason are what counts. */
const ourError: Compare = (wanted, found) => {
  const { error: given } = found;
  if (!isObject(wanted) || !isObject(given)) return error(wanted, found, NO_CASE);
  const reason = wordOf(wanted['display'] ?? wanted['message_contains'] ?? '')
    .replace(/^stage StageId\("[^"]*"\) failed: /u, '')
    .replace(/^stage StageId\("([^"]*)"\) not found$/u, '`$1`')
    .replace(/ for stage StageId\("[^"]*"\)$/u, '');
  const display = wordOf(given['display'] ?? '');
  if (!display.includes(reason)) return `\`${reason}\` is not in ${canonicalJson(given)}`;
  return differ(wanted['kind'], given['kind']);
};

const NO_CASE: OperatorCase = { id: '', title: '', kind: '', expect: {} };

/** Ours has paths and attempts instead of indices: the same calls with the same outcomes, in any order. */
const ourTrace: Compare = (wanted, { trace = [] }) => {
  const placed =
    Array.isArray(wanted) && wanted.every((row) => Array.isArray(row) && typeof row[1] === 'string');
  const calls = (rows: Json): string[] =>
    (Array.isArray(rows) ? (rows as readonly (readonly Json[])[]) : [])
      .map(([stage = null, place = null, status = null]) =>
        canonicalJson([stage, placed ? place : null, status]),
      )
      .sort();
  return differ(calls(wanted), calls(trace));
};

/** Our messages are the original's, with the nearest name after them; an unknown stage is told in our words. */
const ourDisplay: Compare = (wanted, { check_error_display: given = null }) => {
  if (!Array.isArray(wanted) || !Array.isArray(given)) return differ(wanted, given);
  const plain = given.map((message) => wordOf(message as Json).replace(/; did you mean `[^`]*`\?$/u, ''));
  const words = wanted.map((message, i) => {
    const missing = /^stage (.*) not found in store$/u.exec(wordOf(message as Json))?.[1];
    const own = plain[i] ?? '';
    return missing !== undefined && own.includes(`\`${missing}\``) ? own : message;
  });
  return differ(words, plain);
};

const ourResolveError: Compare = (wanted, { resolve_error: given }) =>
  isObject(wanted) && isObject(given) ? differ(wanted['kind'], given['kind']) : differ(wanted, given);

const OURS: Readonly<Record<string, Compare>> = {
  ...COMPARE,
  error: ourError,
  trace: ourTrace,
  received: (wanted, { received = [] }) => differ(rowsOf(wanted).sort(), rowsOf(received).sort()),
  check_error_display: ourDisplay,
  resolve_error: ourResolveError,
};

/** How a field of a case differs from what was found; null when it does not. A field nobody compares is a difference. */
export function difference(
  field: string,
  wanted: Json,
  found: Facts,
  test: OperatorCase,
  whose: 'original' | 'ours' = 'original',
): string | null {
  const table = whose === 'original' ? COMPARE : OURS;
  const compare = Object.hasOwn(table, field) ? table[field] : undefined;
  return compare ? compare(wanted, found, test) : `no test compares \`${field}\``;
}

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

const resolveError: Compare = (wanted, { resolve_error: given }) => {
  if (!isObject(wanted) || !isObject(given)) return differ(wanted, given);
  const unordered = (text: string): string =>
    text.replace(LISTED, (_all, ids: string) => ids.split(', ').sort().join(', '));
  const shown = unordered(wordOf(wanted['display'] ?? given['display'] ?? null));
  const own = unordered(wordOf(given['display'] ?? null));
  // Texts nobody recorded for us begin with what is known of them.
  const display = shown.startsWith(own) ? shown : own;
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
  const met = found.some(
    ({ kind, about }) => kind === asked.kind && (asked.about === null || about === asked.about),
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

/** How a field of a case differs from what was found; null when it does not. A field nobody compares is a difference. */
export function difference(field: string, wanted: Json, found: Facts, test: OperatorCase): string | null {
  const compare = Object.hasOwn(COMPARE, field) ? COMPARE[field] : undefined;
  return compare ? compare(wanted, found, test) : `no test compares \`${field}\``;
}

import { list, record, TEXT, union, NULL, BOOL } from '@caloron/noether/stage';
import { RE2JS } from 're2js';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { MAX_TEXT } from './characters.ts';
import { withUnicodeClasses } from './unicode-classes.ts';

/** Declared by the original for every stage that takes a pattern. */
const EFFECTS = [{ effect: 'Fallible' }, { effect: 'Pure' }];

/** One match: the text of its groups, null for a group that took no part. */
interface Match {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly groups: readonly (string | null)[];
}

/**
 * The matches of a pattern from left to right. The engine's time is linear in the text whatever the pattern, so that a
 * stranger's pattern can be used. Throws STDLIB_REGEX_INVALID; look-around and back references are no such patterns.
 */
function* matches(pattern: string, text: string): Generator<Match> {
  const matcher = compilePattern(pattern, withUnicodeClasses).matcher(text);
  while (matcher.find()) {
    const groups = Array.from({ length: matcher.groupCount() }, (_, i) => matcher.group(i + 1));
    yield { start: matcher.start(), end: matcher.end(), text: matcher.group() ?? '', groups };
  }
}

/** Steps a compiled pattern may have: each is a place the engine may be in at every character of the text. */
const MAX_STEPS = 20_000;
/** Longest pattern an error repeats, characters. */
const SHOWN = 200;

/** A pattern, as `meant` writes it, for an engine of linear time. Throws STDLIB_REGEX_INVALID, also for one that repeats so much that no text is read in time. */
export function compilePattern(pattern: string, meant: (pattern: string) => string = (text) => text): RE2JS {
  const shown = pattern.length > SHOWN ? `${pattern.slice(0, SHOWN)}…` : pattern;
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(meant(pattern));
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).slice(0, SHOWN);
    throw new StdlibError('STDLIB_REGEX_INVALID', { pattern: shown, reason }, { cause });
  }
  const steps = compiled.programSize();
  if (steps <= MAX_STEPS) return compiled;
  const reason = `it takes ${steps} steps; at most ${MAX_STEPS} are allowed`;
  throw new StdlibError('STDLIB_REGEX_INVALID', { pattern: shown, reason });
}

/** `regex_match`: the first match; a group that took no part in it is null. Throws STDLIB_REGEX_INVALID. */
export const regexMatch = original(
  defineStage({
    name: 'regex_match',
    description: 'Finds the first match of a regular expression in a text.',
    effects: ['Pure'],
    input: z.object({ pattern: z.string(), text: z.string() }),
    output: z.object({
      matched: z.boolean(),
      full_match: z.string().nullable(),
      groups: z.array(z.string().nullable()),
    }),
    examples: [
      {
        input: { pattern: '(\\d{4})-(\\d{2})', text: 'on 2026-04-06' },
        output: { matched: true, full_match: '2026-04', groups: ['2026', '04'] },
      },
      {
        input: { pattern: '(?i)b+', text: 'aBbc' },
        output: { matched: true, full_match: 'Bb', groups: [] },
      },
      {
        input: { pattern: '\\d+', text: 'none' },
        output: { matched: false, full_match: null, groups: [] },
      },
    ],
    tags: ['text', 'regex'],
    run: ({ pattern, text }) => {
      for (const match of matches(pattern, text))
        return { matched: true, full_match: match.text, groups: [...match.groups] };
      return { matched: false, full_match: null, groups: [] };
    },
  }),
  {
    effects: EFFECTS,
    output: record({ full_match: union([NULL, TEXT]), groups: list(TEXT), matched: BOOL }),
  },
);

/** `regex_find_all`: every match, from left to right, none overlapping another. */
export const regexFindAll = defineStage({
  name: 'regex_find_all',
  description: 'Finds every match of a regular expression in a text.',
  effects: ['Pure'],
  input: z.object({ pattern: z.string(), text: z.string() }),
  output: z.array(z.object({ match: z.string(), groups: z.array(z.string().nullable()) })),
  examples: [
    {
      input: { pattern: '#(\\d+)', text: 'Closes #1, closes #22' },
      output: [
        { match: '#1', groups: ['1'] },
        { match: '#22', groups: ['22'] },
      ],
    },
    { input: { pattern: 'x', text: 'none' }, output: [] },
    { input: { pattern: '(?i)ab', text: 'AB' }, output: [{ match: 'AB', groups: [] }] },
  ],
  tags: ['text', 'regex'],
  run: ({ pattern, text }) =>
    [...matches(pattern, text)].map((match) => ({ match: match.text, groups: [...match.groups] })),
});

/** A reference of a replacement: `$$`, `$1`, `$name`, `${name}`. */
const REFERENCE = /\$(?:\$|\{([^}]*)\}|(\w+))/gu;

/** What stands for a match: texts, and groups by their number, 0 for the whole match. */
type Part = string | number;

function partsOf(replacement: string, names: { readonly [name: string]: number }): readonly Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const found of replacement.matchAll(REFERENCE)) {
    const [whole, braced, bare] = found;
    parts.push(replacement.slice(from, found.index));
    from = found.index + whole.length;
    const name = braced ?? bare ?? '';
    if (whole === '$$') parts.push('$');
    else if (name === '0') parts.push(0);
    else if (/^\d+$/u.test(name)) parts.push(Number(name) || '');
    else if (Object.hasOwn(names, name)) parts.push(names[name] ?? '');
  }
  return [...parts, replacement.slice(from)].filter((part) => part !== '');
}

function textsFor(parts: readonly Part[], { text, groups }: Match): readonly string[] {
  return parts.map((part) =>
    typeof part === 'string' ? part : part === 0 ? text : (groups[part - 1] ?? ''),
  );
}

/**
 * `regex_replace`: `$1`, `$name`, `${name}` stand for groups, empty where there is none such; `$$` for a dollar. A bare name is
 * as long as it can be: `$1a` is the group `1a`. Throws STDLIB_REGEX_INVALID, STDLIB_RESULT_TOO_LARGE.
 */
export const regexReplace = original(
  defineStage({
    name: 'regex_replace',
    description: 'Replaces every match of a regular expression in a text.',
    effects: ['Pure'],
    input: z.object({ pattern: z.string(), replacement: z.string(), text: z.string() }),
    output: z.string(),
    examples: [
      { input: { pattern: '\\s+', replacement: ' ', text: 'a   b\t c' }, output: 'a b c' },
      {
        input: { pattern: '(\\w+)@(\\w+)', replacement: '$2 at ${1}', text: 'ada@home' },
        output: 'home at ada',
      },
      { input: { pattern: '(?P<n>\\d)', replacement: '<$n$$$1a>', text: '1' }, output: '<1$>' },
    ],
    tags: ['text', 'regex'],
    run: ({ pattern, replacement, text }) => {
      const names = compilePattern(pattern, withUnicodeClasses).namedGroups();
      const references = partsOf(replacement, names);
      const result: string[] = [];
      let length = 0;
      let from = 0;
      for (const match of matches(pattern, text)) {
        const parts = [text.slice(from, match.start), ...textsFor(references, match)];
        // A part counts for one at least: empty ones take their time, too.
        length += parts.reduce((sum, part) => sum + Math.max(part.length, 1), 0);
        if (length > MAX_TEXT)
          throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'regex_replace', limit: MAX_TEXT });
        result.push(parts.join(''));
        from = match.end;
      }
      return result.join('') + text.slice(from);
    },
  }),
  { effects: EFFECTS },
);

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
  const matcher = compile(pattern).matcher(text);
  while (matcher.find()) {
    const groups = Array.from({ length: matcher.groupCount() }, (_, i) => matcher.group(i + 1));
    yield { start: matcher.start(), end: matcher.end(), text: matcher.group() ?? '', groups };
  }
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(withUnicodeClasses(pattern));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StdlibError('STDLIB_REGEX_INVALID', { pattern, reason }, { cause });
  }
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

function expand(replacement: string, match: Match, names: { readonly [name: string]: number }): string {
  return replacement.replace(REFERENCE, (whole, braced?: string, bare?: string) => {
    if (whole === '$$') return '$';
    const name = braced ?? bare ?? '';
    if (name === '0') return match.text;
    const index = /^\d+$/u.test(name) ? Number(name) : Object.hasOwn(names, name) ? names[name] : undefined;
    return index === undefined ? '' : (match.groups[index - 1] ?? '');
  });
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
      const names = compile(pattern).namedGroups();
      const parts: string[] = [];
      let length = 0;
      let from = 0;
      for (const match of matches(pattern, text)) {
        const part = text.slice(from, match.start) + expand(replacement, match, names);
        parts.push(part);
        from = match.end;
        length += part.length;
        if (length > MAX_TEXT)
          throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'regex_replace', limit: MAX_TEXT });
      }
      return parts.join('') + text.slice(from);
    },
  }),
  { effects: EFFECTS },
);

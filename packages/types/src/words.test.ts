import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { HumanWord } from './event.ts';
import { wordOf } from './words.ts';

describe('the word of a comment', () => {
  it('is heard in any case, emphasis and with a stop behind it', () => {
    const cased = fc.constantFrom(...HumanWord.options).chain((word) =>
      fc.array(fc.boolean(), { minLength: word.length, maxLength: word.length }).map((upper) => ({
        word,
        text: word.replaceAll(/./g, (c, at: number) => (upper[at] ? c.toUpperCase() : c)),
      })),
    );
    const around = fc.constantFrom('', '*', '**', '***', '_', '__', '___');
    const stop = fc.constantFrom('', '.', '!', '!!', ':', ',');
    const space = fc.constantFrom('', ' ', '  ', '\n', '\r\n', '\n  ');
    const after = fc.constantFrom('', '\n', '\r\nsince the key is set', '\n\n> never');
    fc.assert(
      fc.property(
        cased,
        around,
        stop,
        stop,
        space,
        after,
        ({ word, text }, mark, inside, behind, before, more) => {
          expect(wordOf(`${before}${mark}${text}${inside}${mark}${behind}${more}`)).toBe(word);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('may be that of the command', () => {
    expect([wordOf('Resolve'), wordOf('take-over!')]).toEqual(['resolved', 'caloron:take-over']);
  });

  it.each([
    '> approve',
    '> approve\n\nwhat is this?',
    '`approve`',
    '`` adopt ``',
    '```\napprove\n```',
    '~~~\napprove',
    '    approve',
    '\tapprove',
    '  \tapprove',
    '\n    approve',
    '"approve"',
    '~~approve~~',
    'approve?',
    'do not approve',
    'approve it',
    'approved',
    '**approve',
    '**approve__',
    '*',
    '****',
    '- approve',
    '# approve',
    '<!-- approve -->',
    'thanks\napprove',
    '',
    '\n\n',
  ])('is none in %j', (comment) => {
    expect(wordOf(comment)).toBeUndefined();
  });

  it('is looked for in no more than a line of its length, whatever a stranger writes', () => {
    for (const part of ['*', '_', '.', '*.', ' ', '\n', '**a**'])
      expect(wordOf(part.repeat(100_000))).toBeUndefined();
  });
});

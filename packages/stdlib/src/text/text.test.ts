import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { textTrim } from './case.ts';
import { textLength, textPad, textReverse, textSlice } from './characters.ts';
import { base64Decode, base64Encode, urlDecode, urlEncode, urlParse } from './encode.ts';
import { regexFindAll, regexMatch, regexReplace } from './regex.ts';
import { textReplace } from './search.ts';
import { textJoin, textLines, textSplit } from './split.ts';
import { textTemplate } from './template.ts';

/** Text as JSON carries it: every character whole. */
const words = fc.string({ unit: 'binary', maxLength: 40 });

function codeOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return (error as { code: unknown }).code;
  }
  return null;
}

describe('characters', () => {
  it('reversed twice are as they were, and as many', () => {
    fc.assert(
      fc.property(words, (text) => {
        const reversed = answer(textReverse, text);

        expect(answer(textReverse, reversed)).toBe(text);
        expect(answer(textLength, reversed)).toBe(answer(textLength, text));
      }),
    );
  });

  it('cut at any place join to the whole', () => {
    fc.assert(
      fc.property(words, fc.nat(50), (text, at) => {
        const before = answer(textSlice, { text, start: 0, end: at });
        const after = answer(textSlice, { text, start: at });

        expect(`${String(before)}${String(after)}`).toBe(text);
      }),
    );
  });

  it('are filled up to exactly the length asked for', () => {
    fc.assert(
      fc.property(words, fc.nat(80), words, (text, length, fill) => {
        const padded = answer(textPad, { text, length, fill: fill === '' ? null : fill, side: 'start' });

        expect(String(padded).endsWith(text)).toBe(true);
        expect(answer(textLength, padded)).toBe(Math.max(length, Number(answer(textLength, text))));
      }),
    );
  });

  it('loses white space at both ends only, in time linear in the text', () => {
    expect(answer(textTrim, `\u0085 a${' '.repeat(200_000)}b\u2029`)).toBe(`a${' '.repeat(200_000)}b`);
    expect(answer(textTrim, '\ufeffx')).toBe('\ufeffx');
  });
});

describe('splitting', () => {
  it('is undone by joining', () => {
    fc.assert(
      fc.property(words, words, (text, delimiter) => {
        const parts = answer(textSplit, { text, delimiter });

        expect(answer(textJoin, { items: parts, delimiter })).toBe(text);
        expect(answer(textReplace, { text, from: delimiter, to: delimiter })).toBe(text);
      }),
    );
  });

  it('passes over what is no text where it joins', () => {
    expect(answer(textJoin, { items: ['a', 1, null, 'b'], delimiter: '-' })).toBe('a-b');
  });

  it('gives lines that join to the text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii' }).filter((line) => line !== '')), (lines) => {
        expect(answer(textLines, lines.map((line) => `${line}\r\n`).join(''))).toEqual(lines);
      }),
    );
  });
});

describe('encodings', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(words, fc.boolean(), (text, url_safe) => {
        expect(answer(base64Decode, { text: answer(base64Encode, { text, url_safe }) })).toBe(text);
        expect(answer(urlDecode, answer(urlEncode, text))).toBe(text);
      }),
    );
  });

  it.each([
    ['what is no Base64', () => answer(base64Decode, { text: 'a*b=' }), 'STDLIB_ENCODING_INVALID'],
    ['Base64 that ends too early', () => answer(base64Decode, { text: 'abcde' }), 'STDLIB_ENCODING_INVALID'],
    ['bytes that are no UTF-8', () => answer(base64Decode, { text: '/w==' }), 'STDLIB_ENCODING_INVALID'],
    ['a lone percent sign', () => answer(urlDecode, '100%'), 'STDLIB_ENCODING_INVALID'],
    ['a relative URL', () => answer(urlParse, '/a'), 'STDLIB_URL_INVALID'],
  ])('refuse %s', (_, call, code) => {
    expect(codeOf(call)).toBe(code);
  });

  it('refuse a long run of padding at once', () => {
    expect(codeOf(() => answer(base64Decode, { text: `${'='.repeat(300_000)}a` }))).toBe(
      'STDLIB_ENCODING_INVALID',
    );
  });
});

describe('regular expressions', () => {
  it('take time linear in the text whatever the pattern', () => {
    const text = `${'a'.repeat(50_000)}b`;

    expect(answer(regexMatch, { pattern: '^(a+)+$', text })).toMatchObject({ matched: false });
  });

  it.each(['[a', '(?=a)', '(?<!a)b', '(a)\\1', 'a{2000}'])('of another kind are refused: %s', (pattern) => {
    expect(codeOf(() => answer(regexMatch, { pattern, text: 'a' }))).toBe('STDLIB_REGEX_INVALID');
    expect(codeOf(() => answer(regexReplace, { pattern, text: 'a', replacement: '' }))).toBe(
      'STDLIB_REGEX_INVALID',
    );
  });

  it('that repeat so much that no text is read in time are refused, briefly', () => {
    for (const pattern of ['(x?){1000}'.repeat(30), '('.repeat(100_000)]) {
      const call = (): unknown => answer(regexMatch, { pattern, text: 'x'.repeat(10_000) });

      expect(codeOf(call)).toBe('STDLIB_REGEX_INVALID');
      expect(call).toThrow(/^.{1,600}$/u);
    }
  });

  it('do not make more of a text than a stage gives', () => {
    const input = { pattern: '(.*)', replacement: '$1'.repeat(10_000), text: 'x'.repeat(100_000) };

    expect(codeOf(() => answer(regexReplace, input))).toBe('STDLIB_RESULT_TOO_LARGE');
  });

  it.each([
    ['$00', '[]'],
    ['$1a', '[]'],
    ['${1}a', '[xa]'],
    ['$$1', '[$1]'],
    ['$name-${name}', '[x-x]'],
    ['$0$9${nobody}', '[x]'],
    ['$', '[$]'],
    ['\\$1', '[\\x]'],
  ])('put %s in place of a match', (replacement, result) => {
    const input = { pattern: '(?P<name>x)', replacement, text: '[x]' };

    expect(answer(regexReplace, input)).toBe(result);
  });

  it('match between characters without breaking them', () => {
    expect(answer(regexReplace, { pattern: '', replacement: '-', text: 'a😀' })).toBe('-a-😀-');
    expect(answer(regexFindAll, { pattern: '.', text: 'é😀' })).toEqual([
      { match: 'é', groups: [] },
      { match: '😀', groups: [] },
    ]);
  });

  it.each([
    ['\\w+', 'é😀ß_1-x', 'é'],
    ['[\\w😀]+', 'é😀ß_1-x', 'é😀ß_1'],
    ['\\d+', 'x٣4', '٣4'],
    ['a\\sb', 'a\u00a0b', 'a\u00a0b'],
    ['\\W', 'é-', '-'],
    ['\\D\\S', '1é\u2003éé', '\u2003é'],
    ['[^\\s]+$', 'a\u0085bc', 'bc'],
    ['[]\\d]+', 'a]1', ']1'],
    ['[[:alpha:]\\d]+', '-a1', 'a1'],
    ['\\\\d', 'x\\d', '\\d'],
    ['\\Q\\d[\\E\\d', 'a\\d[7', '\\d[7'],
    ['[\\\\w]', '\\', '\\'],
  ])('know Unicode: %s', (pattern, text, full_match) => {
    expect(answer(regexMatch, { pattern, text })).toMatchObject({ full_match });
  });

  it('that only quote what they look for find it', () => {
    fc.assert(
      fc.property(words, words, (before, text) => {
        const pattern = text.replace(/[\\^$.|?*+()[\]{}]/gu, '\\$&');

        expect(answer(regexMatch, { pattern, text: before + text })).toMatchObject({ full_match: text });
      }),
    );
  });

  it('give null for a group that took no part', () => {
    expect(answer(regexMatch, { pattern: '(a)|(b)', text: 'b' })).toMatchObject({ groups: [null, 'b'] });
  });

  it('that match nothing change nothing', () => {
    fc.assert(
      fc.property(words, (text) => {
        expect(answer(regexReplace, { pattern: '[^\\s\\S]', replacement: 'x', text })).toBe(text);
      }),
    );
  });
});

describe('templates', () => {
  it('have nothing where a variable is no text', () => {
    expect(answer(textTemplate, { template: '<{{n}}>', variables: { n: 3 } })).toBe('<>');
  });

  it('are filled from fields of any name', () => {
    const variables = JSON.parse('{"__proto__": "p", "constructor": "c", "1": "one"}') as object;

    expect(
      answer(textTemplate, { template: '{{__proto__}}{{constructor}}{{1}}{{toString}}', variables }),
    ).toBe('pcone{{toString}}');
  });

  it('joined to more than a stage gives are refused', () => {
    const input = { items: Array.from({ length: 1000 }, () => ''), delimiter: 'x'.repeat(100_000) };

    expect(codeOf(() => answer(textJoin, input))).toBe('STDLIB_RESULT_TOO_LARGE');
  });

  it('that grow without end are refused', () => {
    const names = Array.from({ length: 40 }, (_, i) => `v${String(i).padStart(2, '0')}`);
    const variables = Object.fromEntries(
      names.map((name, i) => [name, `{{${names[i + 1] ?? 'x'}}}{{${names[i + 1] ?? 'x'}}}`]),
    );

    expect(codeOf(() => answer(textTemplate, { template: '{{v00}}', variables }))).toBe(
      'STDLIB_RESULT_TOO_LARGE',
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import type { Json } from '../ports.ts';
import { markedPaths, redactor, redactText, REDACTED } from './redact.ts';

const secretText = fc.string({ unit: 'grapheme', minLength: 6, maxLength: 12 });
const json = fc.jsonValue() as fc.Arbitrary<Json>;

/** A text that holds each of some secrets somewhere. */
const holding = (secrets: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.string(), { minLength: secrets.length + 1, maxLength: secrets.length + 1 })
    .map((between) => between.map((text, i) => `${text}${secrets[i] ?? ''}`).join(''));

const planted = fc.array(secretText, { minLength: 1, maxLength: 4 }).chain((secrets) =>
  fc.record({
    secrets: fc.constant(secrets),
    value: fc
      .record({
        text: holding(secrets),
        key: holding(secrets),
        other: json,
        from: fc.nat(),
        length: fc.nat(20),
      })
      .map(({ text, key, other }): Json =>
        Object.fromEntries([
          ['text', text],
          ['list', [{ in: text }]],
          [key, other],
        ]),
      ),
  }),
);

const texts = (value: Json): readonly string[] => {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...texts(item as Json)]);
};

describe('a redactor', () => {
  it('leaves no secret in any text or key, wherever it stands', () => {
    fc.assert(
      fc.property(planted, ({ secrets, value }) => {
        const shown = texts(redactor(secrets)(value, []));

        for (const secret of secrets) expect(shown.filter((text) => text.includes(secret))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('hides what is added to its list later, in every way it is asked', () => {
    const secrets = ['first-secret'];
    const hide = redactor(secrets);
    expect(hide.text('later-secret')).toBe('later-secret');
    secrets.push('later-secret');

    expect([hide.text('later-secret'), hide(['first-secret later-secret'], [])]).toEqual([
      '***',
      ['*** ***'],
    ]);
    secrets.push('last-secret');
    expect(hide.holds({ a: 'last-secret' })).toBe(true);
  });

  const secret = 'pa55 wörd?>&/"x"';
  it.each([
    ['base64', Buffer.from(secret).toString('base64')],
    ['base64 after a name', Buffer.from(`ada:${secret}`).toString('base64')],
    ['base64 among others', Buffer.from(`ab${secret}cd`).toString('base64')],
    ['base64 of addresses', Buffer.from(`x${secret}`).toString('base64url')],
    ['hex', Buffer.from(secret).toString('hex')],
    ['a form', new URLSearchParams({ secret }).toString()],
    ['a part of an address', encodeURIComponent(secret)],
    ['an address', `https://example.org/${encodeURI(secret)}`],
    ['a part of an address in small letters', encodeURIComponent(secret).toLowerCase()],
    ['JSON', JSON.stringify({ secret })],
    ['JSON in JSON', JSON.stringify({ secret: JSON.stringify({ secret }) })],
  ])('finds a secret in %s, whether it knows one or a hundred', (_, text) => {
    const others = Array.from({ length: 100 }, (_unused, i) => `another secret ${i}`);
    for (const known of [[secret], [...others, secret]]) {
      const redact = redactor(known);
      const shown = redact.text(text);

      expect(redact.holds({ text })).toBe(true);
      expect(shown).toContain(REDACTED);
      const digits = shown.replaceAll(REDACTED, '');
      for (const word of ['55', 'rd', Buffer.from('a55 w').toString('base64').slice(1, 6)])
        expect(digits).not.toContain(word);
    }
  });

  it('knows the parts of a secret that are secrets by themselves', () => {
    const key = `-----BEGIN KEY-----\r\nMC4CAQAwBQYDK2VwBCIEIA\r\nxx\r\n-----END KEY-----\n`;
    const basic = `Basic ${Buffer.from('ada:open sesame').toString('base64')}`;
    const redact = redactor([' s3cret-token\n', 'Bearer b3arer-token', basic, key]);

    expect(redact.text('s3cret-token b3arer-token open sesame')).toBe(`${REDACTED} ${REDACTED} ${REDACTED}`);
    expect(redact.text('> MC4CAQAwBQYDK2VwBCIEIA <, xx')).toBe(`> ${REDACTED} <, xx`);
  });

  it('hides marked names in whatever case they are written', () => {
    expect(redactor([])({ AUTHORIZATION: 'a', Other: 'b' }, [['Authorization']])).toEqual({
      AUTHORIZATION: REDACTED,
      Other: 'b',
    });
  });

  it('learns numbers of marked fields, too', () => {
    const redact = redactor([]);
    redact.learn({ pin: 12_345_678 }, [['pin']]);

    expect(redact({ said: 'pin 12345678', n: 12_345_678 }, [])).toEqual({
      said: `pin ${REDACTED}`,
      n: REDACTED,
    });
  });

  it('changes nothing that holds no secret', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(redactor(['a secret no text holds'])(value, [])).toEqual(value);
      }),
      { numRuns: 200 },
    );
  });

  it('hides nothing twice', () => {
    fc.assert(
      fc.property(planted, ({ secrets, value }) => {
        const once = redactor(secrets)(value, []);

        expect(redactor(secrets)(once, [])).toEqual(once);
      }),
      { numRuns: 100 },
    );
  });

  it('hides in texts what it learned from marked fields it was not asked to show', () => {
    const redact = redactor([]);
    redact.learn({ token: 'marked-secret', name: 'shown' }, [['token']]);

    expect(redact.text('marked-secret of shown')).toBe(`${REDACTED} of shown`);
    expect(redact({ said: 'it was marked-secret' }, [])).toEqual({ said: `it was ${REDACTED}` });
  });

  it('knows of each value whether it would hide anything of it', () => {
    fc.assert(
      fc.property(
        fc.oneof(planted, fc.record({ secrets: fc.constant(['no text holds it']), value: json })),
        (given) => {
          const redact = redactor(given.secrets);
          const hidden = JSON.stringify(redact(given.value, [])) !== JSON.stringify(given.value);

          expect(redact.holds(given.value)).toBe(hidden);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leaves short texts alone: they tell nothing and stand everywhere', () => {
    expect(redactor(['short', ''])('a short text', [])).toBe('a short text');
  });

  it.each([
    ['in the middle', 'Bearer s3cret-token!', 'Bearer ***!'],
    ['twice', 's3cret-token,s3cret-token', '***,***'],
    ['inside JSON text', '{"k":"line\\nbreak"}', '{"k":"***"}'],
    ['inside an address', 'https://a?q=p%40ss%2Fword&x', 'https://a?q=***&x'],
    ['overlapping another', 'xabcdefghy', 'x***y'],
  ])('hides a secret %s', (_where, text, shown) => {
    expect(redactText(text, ['s3cret-token', 'line\nbreak', 'p@ss/word', 'abcdef', 'cdefgh'])).toBe(shown);
  });

  it('hides a number that spells a secret, and keeps two hidden keys apart', () => {
    const hide = redactor(['123456', 'secret-a', 'secret-b']);

    expect(hide({ pin: 123456, 'secret-a': 1, 'secret-b': 2 }, [])).toEqual({
      pin: REDACTED,
      '***': 1,
      '***2': 2,
    });
  });

  it('shows nothing of what is nested too deep to look through', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}"s3cret-token"${']'.repeat(100_000)}`) as Json;

    expect(redactor(['s3cret-token'])(deep, [])).toBe(REDACTED);
  });

  it('keeps keys that only look dangerous', () => {
    const value = JSON.parse('{"__proto__":{"a":"s3cret-token"},"constructor":1,"2":0,"1":0}') as Json;

    expect(JSON.stringify(redactor(['s3cret-token'])(value, []))).toBe(
      '{"1":0,"2":0,"__proto__":{"a":"***"},"constructor":1}',
    );
  });

  it('hides marked fields whatever they hold, and what they held elsewhere from then on', () => {
    const hide = redactor([]);
    const marked = [['token'], ['users', '[]', 'pin'], ['headers', '*']];

    expect(
      hide(
        {
          token: 'tok-12345',
          url: 'https://a?t=tok-12345',
          users: [{ pin: 42, name: 'ann' }, { pin: null }],
          headers: { a: { deep: 'header-value' } },
          other: [1],
        },
        marked,
      ),
    ).toEqual({
      token: REDACTED,
      url: 'https://a?t=***',
      users: [{ pin: REDACTED, name: 'ann' }, { pin: null }],
      headers: { a: REDACTED },
      other: [1],
    });
    expect(hide('an echo of tok-12345 and header-value', [])).toBe('an echo of *** and ***');
    expect(hide(null, [[]])).toBeNull();
    expect(hide([1, 'x'], [[]])).toBe(REDACTED);
  });
});

describe('marked paths', () => {
  const secret = z.string().meta({ secret: true });

  it.each<[string, z.ZodType, readonly (readonly string[])[]]>([
    ['nothing', z.object({ a: z.string() }), []],
    ['a field', z.object({ a: secret, b: z.number() }), [['a']]],
    [
      'what wraps it',
      z.object({ a: secret.min(3).optional(), b: secret.nullable().default(null) }),
      [['a'], ['b']],
    ],
    ['items', z.array(z.object({ a: secret })), [['[]', 'a']]],
    ['items of a tuple', z.tuple([z.string(), secret]), [['[]']]],
    ['values of a map', z.record(z.string(), z.object({ a: secret })), [['*', 'a']]],
    ['fields nobody named', z.object({ a: z.string() }).catchall(secret), [['*']]],
    ['a variant', z.union([z.string(), z.object({ a: secret })]), [['a']]],
    ['both sides', z.intersection(z.object({ a: secret }), z.object({ b: secret })), [['a'], ['b']]],
    ['before and after a transform', z.object({ a: secret.transform((text) => text.length) }), [['a']]],
    ['the whole', z.object({ a: z.string() }).meta({ secret: true }), [[]]],
    ['only true', z.object({ a: z.string().meta({ secret: false }) }), []],
  ])('are those of %s', (_what, schema, expected) => {
    expect(markedPaths(schema)).toEqual(expected);
  });

  it('end where a schema meets itself, so that no depth is left open', () => {
    interface Tree {
      readonly pin: string;
      readonly children: readonly Tree[];
    }
    const tree: z.ZodType<Tree> = z.object({ pin: secret, children: z.array(z.lazy(() => tree)) });
    const plain: z.ZodType = z.object({ next: z.lazy(() => plain).nullable() });

    expect(markedPaths(tree)).toEqual([['pin'], ['children', '[]']]);
    expect(markedPaths(plain)).toEqual([]);
  });
});

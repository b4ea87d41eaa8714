import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createRedactor } from './redact.ts';

const KEY = `-----BEGIN RSA PRIVATE KEY-----\nMIIEow${'A'.repeat(60)}\nBBBB\n-----END RSA PRIVATE KEY-----`;

/** Made of pieces, so that no search for credentials finds one here. */
const shaped: readonly string[] = [
  `ghp_${'a1B2'.repeat(9)}`,
  `github_pat_${'11ABC_'.repeat(8)}`,
  `sk-ant-api03-${'x9_-'.repeat(10)}`,
  `sk-proj-${'q7'.repeat(20)}`,
  `xoxb-${'1234567890-'.repeat(3)}abc`,
  ['AKIA', 'ABCDEFGH12345678'].join(''),
  ['eyJhbGciOiJI', 'eyJzdWIiOiIx', 'c2lnbmF0dXJl'].join('.'),
  KEY,
];

describe('a redactor', () => {
  it.each(shaped.map((secret) => [secret.slice(0, 8), secret]))(
    'O10 hides what looks like %s…',
    (_name, secret) => {
      expect(createRedactor().text(`before ${secret} after`)).toBe('before [redacted] after');
    },
  );

  it('O10 hides values it was told of, as JSON, addresses and Base64 spell them', () => {
    const redactor = createRedactor(['pass"word/1']);
    redactor.learn('learnt-later');

    const said = `pass"word/1 ${JSON.stringify('pass"word/1')} pass%22word%2F1 ${btoa('pass"word/1')} learnt-later`;

    expect(redactor.text(said)).toBe('[redacted] "[redacted]" [redacted] [redacted]= [redacted]');
  });

  it('leaves other texts as they are', () => {
    const text =
      'sk-1 ghp_short task-list-of-everything AKIA eyJ.eyJ.x 0123456789abcdef0123456789abcdef01234567\n';
    expect(createRedactor(['abc', '']).text(text)).toBe(text);
  });

  it('hides texts inside values', () => {
    const redactor = createRedactor(['secret-1']);
    expect(redactor.value({ a: ['x secret-1'], b: { c: 'secret-1' }, d: 1, e: null })).toEqual({
      a: ['x [redacted]'],
      b: { c: '[redacted]' },
      d: 1,
      e: null,
    });
  });

  it('O10 hides the same however a text is cut into pieces', () => {
    const text = `one ${shaped.join(' two\n')} three secret-value four\n-----not a key\n${'z'.repeat(50)}`;
    const whole = createRedactor(['secret-value']).text(text);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        let shown = '';
        const stream = createRedactor(['secret-value']).stream((piece) => {
          shown += piece;
        });
        for (let at = 0, n = 0; at < text.length; n += 1) {
          const size = sizes[n % sizes.length] ?? 1;
          stream.write(text.slice(at, at + size));
          at += size;
        }
        stream.end();
        expect(shown).toBe(whole);
      }),
      { numRuns: 100 },
    );
  });
});

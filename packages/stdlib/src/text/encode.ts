import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';

/** `base64_encode`: of the text's UTF-8 bytes; `url_safe` takes `-` and `_` and no padding. */
export const base64Encode = defineStage({
  name: 'base64_encode',
  description: 'Gives a text in Base64.',
  effects: ['Pure'],
  input: z.object({ text: z.string(), url_safe: z.boolean().nullish() }),
  output: z.string(),
  examples: [
    { input: { text: 'hello' }, output: 'aGVsbG8=' },
    { input: { text: '?>é', url_safe: true }, output: 'Pz7DqQ' },
    { input: { text: '' }, output: '' },
  ],
  tags: ['text', 'encoding'],
  run: ({ text, url_safe }) => Buffer.from(text, 'utf8').toString(url_safe === true ? 'base64url' : 'base64'),
});

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/u;

/** `base64_decode`: both alphabets, with or without padding, line breaks allowed. Throws STDLIB_ENCODING_INVALID. */
export const base64Decode = defineStage({
  name: 'base64_decode',
  description: 'Gives the text that was put into Base64.',
  effects: ['Pure'],
  input: z.object({ text: z.string() }),
  output: z.string(),
  examples: [
    { input: { text: 'aGVsbG8=' }, output: 'hello' },
    { input: { text: 'Pz7DqQ' }, output: '?>é' },
    { input: { text: 'aGVs\nbG8=\n' }, output: 'hello' },
  ],
  tags: ['text', 'encoding'],
  run: ({ text }) => {
    const digits = text.replace(/[\r\n]/gu, '');
    if (!BASE64.test(digits) || digits.replace(/={1,2}$/u, '').length % 4 === 1)
      throw new StdlibError('STDLIB_ENCODING_INVALID', {
        encoding: 'Base64',
        reason: 'it holds other characters or ends too early',
      });
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(digits, 'base64'));
    } catch (cause) {
      const reason = 'its bytes are no UTF-8';
      throw new StdlibError('STDLIB_ENCODING_INVALID', { encoding: 'Base64', reason }, { cause });
    }
  },
});

/** `url_encode`: for one part of a URL: a value of its query, a step of its path. */
export const urlEncode = defineStage({
  name: 'url_encode',
  description: 'Gives a text as it may stand in a part of a URL.',
  effects: ['Pure'],
  input: z.string(),
  output: z.string(),
  examples: [
    { input: 'a b&c', output: 'a%20b%26c' },
    { input: 'é/😀', output: '%C3%A9%2F%F0%9F%98%80' },
    { input: '', output: '' },
  ],
  tags: ['text', 'url'],
  run: (text) => encodeURIComponent(text),
});

/** `url_decode`: the other way round. Throws STDLIB_ENCODING_INVALID. */
export const urlDecode = defineStage({
  name: 'url_decode',
  description: 'Gives the text that was put into a part of a URL.',
  effects: ['Pure'],
  input: z.string(),
  output: z.string(),
  examples: [
    { input: 'a%20b%26c', output: 'a b&c' },
    { input: 'a+b', output: 'a+b' },
    { input: '', output: '' },
  ],
  tags: ['text', 'url'],
  run: (text) => {
    try {
      return decodeURIComponent(text);
    } catch (cause) {
      const reason = 'a % is not followed by the digits of a character';
      throw new StdlibError('STDLIB_ENCODING_INVALID', { encoding: 'URL part', reason }, { cause });
    }
  },
});

/** `url_parse`: an absolute URL. A user name or password in it is left out. Throws STDLIB_URL_INVALID. */
export const urlParse = defineStage({
  name: 'url_parse',
  description: 'Gives the parts of an absolute URL.',
  effects: ['Pure'],
  input: z.string(),
  output: z.object({
    scheme: z.string(),
    host: z.string(),
    port: z.number().nullable(),
    path: z.string(),
    query: z.array(z.object({ key: z.string(), value: z.string() })),
    fragment: z.string().nullable(),
  }),
  examples: [
    {
      input: 'https://api.example.org:8443/repos/a?page=2&q=x%20y#top',
      output: {
        scheme: 'https',
        host: 'api.example.org',
        port: 8443,
        path: '/repos/a',
        query: [
          { key: 'page', value: '2' },
          { key: 'q', value: 'x y' },
        ],
        fragment: 'top',
      },
    },
    {
      input: 'http://user:secret@example.org',
      output: { scheme: 'http', host: 'example.org', port: null, path: '/', query: [], fragment: null },
    },
    {
      input: 'HTTP://EXAMPLE.org/%C3%A9',
      output: { scheme: 'http', host: 'example.org', port: null, path: '/%C3%A9', query: [], fragment: null },
    },
  ],
  tags: ['text', 'url'],
  run: (text) => {
    if (!URL.canParse(text)) {
      // The text may hold a password: it is not repeated.
      throw new StdlibError('STDLIB_URL_INVALID', { reason: 'expected scheme://host/path' });
    }
    const url = new URL(text);
    return {
      scheme: url.protocol.slice(0, -1),
      host: url.hostname,
      port: url.port === '' ? null : Number(url.port),
      path: url.pathname,
      query: [...url.searchParams].map(([key, value]) => ({ key, value })),
      fragment: url.hash === '' ? null : url.hash.slice(1),
    };
  },
});

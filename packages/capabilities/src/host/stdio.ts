import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

import type { Stdio } from '@caloron/types';

import { ProcessError } from './errors.ts';

/** The streams a run's stages may use. */
export interface StdioDeps {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

/** Standard input and output as stages see them. */
export function createStdio({ input, output }: StdioDeps): Stdio {
  return {
    async read(signal) {
      if (input.isTTY === true) {
        const reason = 'it is a terminal, and nobody was asked to type';
        const hint = 'pipe the text in: echo text | ./noether run graph.json';
        throw new ProcessError('STDIO_UNAVAILABLE', { stream: 'standard input', reason }, { hint });
      }
      // An earlier stage has read it all.
      if (input.readableEnded) return '';
      signal?.throwIfAborted();
      try {
        return await text(signal === undefined ? input : addAbortSignal(signal, input));
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
    },
    write: (chunk) =>
      new Promise((resolve, reject) => {
        output.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
  };
}

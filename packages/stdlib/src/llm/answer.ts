import type { z } from 'zod';

import { LlmAnswerError } from './errors.ts';

/** Longest part of an answer an error shows, in characters. */
const SHOWN = 200;

/** Tokens an answer in JSON may take. */
export const ANSWER_TOKENS = 4096;

/** What a model wrote. */
interface Answer {
  readonly text: string;
  readonly model: string;
}

/** The JSON object of an answer; models put a fence or a sentence around it at times. Throws LLM_ANSWER_INVALID, which may be retried. */
export function readAnswer<S extends z.ZodType>(
  { text, model }: Answer,
  schema: S,
  expected: string,
): z.output<S> {
  const from = text.indexOf('{');
  const object = text.slice(from, text.lastIndexOf('}') + 1);
  const parsed = schema.safeParse(jsonOf(object));
  if (parsed.success) return parsed.data;
  const answer = text.slice(0, SHOWN);
  throw new LlmAnswerError('LLM_ANSWER_INVALID', { model, expected, answer }, { retryable: true });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { z } from 'zod';

import { Timestamp } from './time.ts';

/**
 * Why an agent's run ended without work. What is done about it is decided by the class: `crash`, `timeout` and `transient` are tried
 * again after a pause, `rate_limit` and `quota` wait for their provider, `auth`, `billing` and `gave_up` for a person; `budget` was asked to pause
 * because a limit is used up, and waits for an approval. `stopped` is no
 * failure: somebody ended a run that might have gone on.
 */
export const EndClass = z.enum([
  'crash',
  'timeout',
  'transient',
  'rate_limit',
  'quota',
  'auth',
  'billing',
  'gave_up',
  'budget',
  'stopped',
]);
export type EndClass = z.infer<typeof EndClass>;

/** Why an agent's run ended without work, as its harness understood it. */
export const EndCause = z.strictObject({
  class: EndClass,
  /** When a limit ends, as far as the provider says. */
  until: Timestamp.nullable(),
  /** Whose limit or credential it is; null when no provider is at fault. */
  provider: z.string().min(1).max(64).nullable(),
  /** What the agent's program said, in one line. */
  sentence: z.string().max(300),
});
export type EndCause = z.infer<typeof EndCause>;

/** The one provider of a framework that has no other. */
const PROVIDERS: ReadonlyMap<string, string> = new Map([
  ['claude-code', 'anthropic'],
  ['codex-cli', 'openai'],
  ['gemini-cli', 'google'],
  ['cursor-cli', 'cursor'],
]);

/**
 * Whose models a framework uses: its option `provider`, else its only provider, else the one its option `model` begins with
 * (`anthropic/…`), else the framework itself.
 */
export function providerOf(framework: string, options: Readonly<Record<string, string>>): string {
  const named = options['provider']?.trim() ?? '';
  if (named !== '') return named.slice(0, 64);
  const [prefix = '', rest] = (options['model'] ?? '').split('/', 2);
  const of_model = rest === undefined || prefix === '' ? framework : prefix;
  return (PROVIDERS.get(framework) ?? of_model).slice(0, 64);
}

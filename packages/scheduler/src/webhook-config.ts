import { z } from 'zod';

import { RETRY_DELAYS_MS } from './webhook-queue.ts';

/** Retries when the file does not say: the last of them begins about eight hours after the run. */
const RETRIES = 5;

const address = z.url({ protocol: /^https?$/, error: 'expected an http or https address' });

/** What `webhook` of a job may be: an address is told of each run in one attempt, an object signed and again until it is taken. */
export const WebhookField = z.union([
  address,
  z.strictObject({
    url: address,
    secret_env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of a variable')
      .optional(),
    retries: z
      .number()
      .int('expected a whole number')
      .min(0, 'expected 0 or more')
      .max(RETRY_DELAYS_MS.length, `expected at most ${RETRY_DELAYS_MS.length}`)
      .optional(),
  }),
]);

/** A job's webhook, resolved. */
export interface WebhookConfig {
  readonly url: string;
  /** The variable that holds the secret deliveries are signed with; null leaves them unsigned. */
  readonly secret_env: string | null;
  /** Attempts after the first, 0–9; null is one attempt that nothing remembers. */
  readonly retries: number | null;
}

/** The field as it is worked with. */
export function webhookOf(field: z.output<typeof WebhookField> | undefined): WebhookConfig | null {
  if (field === undefined) return null;
  if (typeof field === 'string') return { url: field, secret_env: null, retries: null };
  return { url: field.url, secret_env: field.secret_env ?? null, retries: field.retries ?? RETRIES };
}

/** The issues of the form that was meant, where a field has several forms: those of the object when an object was given. */
export function meantIssues(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    const isOther = (form: readonly z.core.$ZodIssue[]): boolean =>
      form.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
    const meant = issue.errors.find((form) => !isOther(form));
    if (meant === undefined)
      return [{ ...issue, message: 'expected an address or an object with url, secret_env and retries' }];
    return meantIssues(meant).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
  });
}

import { messageOf } from '@caloron/noether/errors';
import { epochMs, type Timestamp } from '@caloron/types';

import { SchedulerError } from './errors.ts';

/** Standard Webhooks asks for keys of 24 to 64 bytes. */
const KEY_BYTES = { least: 24, most: 64 } as const;
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/u;

/** What a delivery is signed with. */
export interface Signing {
  /** The variable that holds the secret, `whsec_` and base64; several during a change of secrets, separated by spaces. */
  readonly secret_env: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Why a variable holds no secret to sign with; null when it does. Nothing of its value is told. */
export function secretProblem({ secret_env, variables }: Signing): string | null {
  const secrets = secretsOf({ secret_env, variables });
  if (secrets.length === 0) return 'it is not set';
  for (const secret of secrets) {
    const [, key] = SECRET.exec(secret) ?? [];
    if (key === undefined) return 'expected whsec_ and base64';
    const bytes = Buffer.from(key, 'base64').length;
    if (bytes < KEY_BYTES.least || bytes > KEY_BYTES.most)
      return `expected a key of ${KEY_BYTES.least} to ${KEY_BYTES.most} bytes, got ${bytes}`;
  }
  return null;
}

const secretsOf = ({ secret_env, variables }: Signing): readonly string[] =>
  (variables[secret_env] ?? '').split(/\s+/u).filter((secret) => secret !== '');

/** The headers of one attempt, after https://www.standardwebhooks.com: the id stays over all attempts. Throws WEBHOOK_SECRET_INVALID. */
export async function signedHeaders(
  signing: Signing,
  delivery: { readonly id: string; readonly body: string; readonly now: Timestamp },
): Promise<Readonly<Record<string, string>>> {
  const { id, body, now } = delivery;
  const name = signing.secret_env;
  const reason = secretProblem(signing);
  if (reason !== null)
    throw new SchedulerError('WEBHOOK_SECRET_INVALID', { name, reason }, { retryable: true });
  const { Webhook } = await import('standardwebhooks');
  const at = new Date(epochMs(now));
  try {
    const signatures = secretsOf(signing).map((secret) => new Webhook(secret).sign(id, at, body));
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(epochMs(now) / 1000)),
      'webhook-signature': signatures.join(' '),
    };
  } catch (error) {
    throw new SchedulerError('WEBHOOK_SECRET_INVALID', { name, reason: messageOf(error) });
  }
}

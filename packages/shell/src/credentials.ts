import type { GitCredential } from '@caloron/capabilities/git';
import { checkedHost, misplaced, placeHint, type TokenHostOf } from '@caloron/capabilities/token-hosts';
import type { Role, Sprint } from '@caloron/types';

import { ShellError } from './errors.ts';

/** The user name forges accept beside a token. */
const USERNAME = 'x-access-token';

/** Forge tokens by the variable that holds them. */
export interface Credentials {
  /** The token a role acts with. Throws CREDENTIAL_NOT_ALLOWED, CREDENTIAL_OTHER_HOST or CREDENTIAL_MISSING. */
  forRole(sprint: Sprint, role: Role): GitCredential;
}

/** Reads tokens from `env`, only by names on the allow-list, and only for the host `host_of` tells each to belong to. */
export function createCredentials(
  env: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
  host_of: TokenHostOf,
): Credentials {
  return {
    forRole(sprint, role) {
      const token_env =
        role === 'reviewer' ? (sprint.reviewer_token_env ?? sprint.token_env) : sprint.token_env;
      if (!allowed.includes(token_env))
        throw new ShellError('CREDENTIAL_NOT_ALLOWED', { token_env, allowed });
      const host = checkedHost(sprint.host);
      const elsewhere = misplaced(token_env, host, host_of);
      if (elsewhere !== null) {
        const { belongs_to } = elsewhere;
        const hint = placeHint(token_env, host, belongs_to);
        throw new ShellError('CREDENTIAL_OTHER_HOST', { token_env, host, belongs_to }, { hint });
      }
      const token = env[token_env];
      if (token === undefined || token === '') throw new ShellError('CREDENTIAL_MISSING', { token_env });
      return { username: USERNAME, token };
    },
  };
}

import type { GitCredential } from '@caloron/capabilities/git';
import type { Role, Sprint } from '@caloron/types';

import { ShellError } from './errors.ts';

/** The user name forges accept beside a token. */
const USERNAME = 'x-access-token';

/** Forge tokens by the variable that holds them. */
export interface Credentials {
  /** The token a role acts with. Throws CREDENTIAL_NOT_ALLOWED or CREDENTIAL_MISSING. */
  forRole(sprint: Sprint, role: Role): GitCredential;
}

/** Reads tokens from `env`, only by names on the allow-list. */
export function createCredentials(
  env: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
): Credentials {
  return {
    forRole(sprint, role) {
      const token_env =
        role === 'reviewer' ? (sprint.reviewer_token_env ?? sprint.token_env) : sprint.token_env;
      if (!allowed.includes(token_env))
        throw new ShellError('CREDENTIAL_NOT_ALLOWED', { token_env, allowed });
      const token = env[token_env];
      if (token === undefined || token === '') throw new ShellError('CREDENTIAL_MISSING', { token_env });
      return { username: USERNAME, token };
    },
  };
}

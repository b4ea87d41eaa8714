import type { GitCredential } from '@caloron/capabilities/git';
import { createApps, isApp } from '@caloron/capabilities/github-app';
import { checkedHost, misplaced, placeHint, type TokenHostOf } from '@caloron/capabilities/token-hosts';
import type { Clock, Role, Sprint, Timestamp } from '@caloron/types';

import { ShellError } from './errors.ts';

/** The user name forges accept beside a token. */
const USERNAME = 'x-access-token';

/** A forge token in use. */
export interface ForgeCredential extends GitCredential {
  /** When the forge no longer takes it; null when that is not known. */
  readonly expires_at: Timestamp | null;
}

/** Forge tokens by the variable that holds them, or by that of a GitHub App. */
export interface Credentials {
  /**
   * The token a role acts with. Throws CREDENTIAL_NOT_ALLOWED, CREDENTIAL_OTHER_HOST or CREDENTIAL_MISSING; for an app's, FORGE_APP_INVALID
   * or why its host gave none.
   */
  forRole(sprint: Sprint, role: Role): Promise<ForgeCredential>;
}

/** Reads tokens from `env`, only by names on the allow-list, and only for the host `host_of` tells each to belong to. */
export function createCredentials(
  env: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
  host_of: TokenHostOf,
  clock: Clock,
): Credentials {
  const apps = createApps({ env, clock });
  return {
    async forRole(sprint, role) {
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
      // As the client takes it, so that both speak with the same token.
      const token = env[token_env]?.trim() ?? '';
      if (token === '' && isApp(env, token_env)) {
        const made = await apps({ token_env, host, repo: sprint.repo }).get();
        return { username: USERNAME, ...made };
      }
      if (token === '') throw new ShellError('CREDENTIAL_MISSING', { token_env });
      return { username: USERNAME, token, expires_at: null };
    },
  };
}

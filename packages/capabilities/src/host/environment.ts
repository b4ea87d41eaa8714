import type { Variables } from '@caloron/types';

import { ProcessError } from './errors.ts';

/** What graphs may read of the environment. */
export interface EnvironmentDeps {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Exact names; everything else is refused, set or not. */
  readonly allow: readonly string[];
}

/** The variables an installation lets graphs read. */
export function createEnvironment({ variables, allow }: EnvironmentDeps): Variables {
  return {
    get(name) {
      if (!allow.includes(name)) {
        const hint = `an operator allows it with CALORON_ENV_ALLOW=${[...allow, name].join(',')}`;
        throw new ProcessError('ENV_NOT_ALLOWED', { variable: name, allowed: allow }, { hint });
      }
      return Object.hasOwn(variables, name) ? (variables[name] ?? null) : null;
    },
  };
}

import { RepoName, TokenEnv, type ForgeTarget } from '@caloron/types';
import { z } from 'zod';

/** Which repository, on which host, with whose token: what every request of a sprint is made with. */
export const Target = z.strictObject({
  repo: RepoName,
  /** API address; null is github.com. */
  host: z.string().nullable(),
  /** Name of the variable that holds the token. */
  token_env: TokenEnv,
});
export type Target = z.infer<typeof Target>;

/** The variable a token is read from when nothing names another. */
export const DEFAULT_TOKEN_ENV = 'GITHUB_TOKEN';

/** The fields by which a stage that is called by hand names its repository. */
export const plainTarget = {
  repo: RepoName,
  token_env: TokenEnv.nullish(),
  host: z.string().nullish(),
};

/** The target plain fields stand for: github.com and GITHUB_TOKEN where they are silent. */
export function targetOf(plain: {
  readonly repo: string;
  readonly token_env?: string | null | undefined;
  readonly host?: string | null | undefined;
}): ForgeTarget {
  const host = plain.host === undefined || plain.host === '' ? null : plain.host;
  return { repo: plain.repo, host, token_env: plain.token_env ?? DEFAULT_TOKEN_ENV };
}

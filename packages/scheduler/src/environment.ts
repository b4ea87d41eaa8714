import { readFileSync } from 'node:fs';

import type { Home } from '@caloron/store';

/** Token variables a forge may be given unless CALORON_TOKEN_ENVS names others. */
const DEFAULT_TOKEN_ENVS = ['GITHUB_TOKEN', 'GITEA_TOKEN', 'CALORON_REVIEWER_TOKEN', 'CALORON_FORGE_TOKEN'];

/** The variables a runtime needs, resolved; tokens stay where they are and are read by name. */
export interface Environment {
  readonly shell_url: string;
  /** The shell's token; read when asked, as the shell may be started later. Empty when there is none yet. */
  readonly shell_token: () => string;
  /** Names of variables that may be sent to a forge. */
  readonly token_envs: readonly string[];
  readonly log_level: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Maps the process's variables to what a runtime needs. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  home: Home,
): Environment {
  const listed = variables['CALORON_TOKEN_ENVS']
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return Object.freeze({
    shell_url:
      variables['CALORON_SHELL_URL'] ?? `http://127.0.0.1:${variables['CALORON_SHELL_PORT'] ?? '7710'}`,
    shell_token: () => variables['CALORON_SHELL_TOKEN'] ?? readToken(home.shell_token_file),
    token_envs: listed ?? DEFAULT_TOKEN_ENVS,
    log_level: variables['CALORON_LOG_LEVEL'] ?? 'info',
    variables,
  });
}

const SECRET_NAME = /TOKEN|SECRET|PASSW|CREDENTIAL|(?:^|_)KEY(?:$|_)/iu;

/** Values no trace may show: of token variables, of those whose name says that they hold a secret, and the shell's token. */
export function secretsOf({ variables, token_envs, shell_token }: Environment): readonly string[] {
  const named = Object.entries(variables).flatMap(([name, value]) =>
    value !== undefined && (token_envs.includes(name) || SECRET_NAME.test(name)) ? [value] : [],
  );
  return [...named, shell_token()].filter((value) => value !== '');
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

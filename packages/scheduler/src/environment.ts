import { readFileSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

import { createTokenHosts, type TokenHostOf } from '@caloron/capabilities/token-hosts';
import type { Home } from '@caloron/store';
import { DEFAULT_TOKEN_ENVS } from '@caloron/types';

import { logLevelOf } from './log-level.ts';

/** The variables a runtime needs, resolved; tokens stay where they are and are read by name. */
export interface Environment {
  readonly shell_url: string;
  /** The shell's token; read when asked, as the shell may be started later. Empty when there is none yet. */
  readonly shell_token: () => string;
  /** Names of variables that may be sent to a forge. */
  readonly token_envs: readonly string[];
  /** Which host each of them belongs to, by CALORON_TOKEN_HOSTS and the home's caloron.json. */
  readonly token_hosts: TokenHostOf;
  /** Names of variables that may be sent to a remote stage, wherever it is: those an operator lists, none unless told. */
  readonly remote_envs: readonly string[];
  /** Names of variables graphs may read and programs they start see. */
  readonly env_allow: readonly string[];
  /** Folders beside the project that graphs may read and write; absolute. */
  readonly fs_allow: readonly string[];
  /** Shared with forges that post their events; null: none may. */
  readonly webhook_secret: string | null;
  /** Hosts, addresses and networks beside the internet that webhooks of jobs may go to. */
  readonly webhook_allow: readonly string[];
  /** The level of the log, found when asked. Throws SCHEDULER_LOG_LEVEL_INVALID. */
  readonly log_level: string;
  /** The registry commands look stages up in; null: the stage store. */
  readonly registry_url: string | null;
  /** The key of a registry, of that one where it is named; null without one. */
  readonly registry_api_key: string | null;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Maps the process's variables to what a runtime needs. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  home: Home,
): Environment {
  return Object.freeze({
    shell_url:
      variables['CALORON_SHELL_URL'] ?? `http://127.0.0.1:${variables['CALORON_SHELL_PORT'] ?? '7710'}`,
    shell_token: () => variables['CALORON_SHELL_TOKEN'] ?? readToken(home.shell_token_file),
    token_envs: namesOf(variables['CALORON_TOKEN_ENVS']) ?? DEFAULT_TOKEN_ENVS,
    token_hosts: createTokenHosts({
      listed: variables['CALORON_TOKEN_HOSTS'],
      project_file: home.project_file,
    }),
    remote_envs: namesOf(variables['CALORON_TOKEN_ENVS']) ?? [],
    env_allow: namesOf(variables['CALORON_ENV_ALLOW']) ?? [],
    fs_allow: foldersOf(variables['CALORON_FS_ALLOW'], home.dir),
    webhook_secret: variables['CALORON_WEBHOOK_SECRET']?.trim() || null,
    webhook_allow: namesOf(variables['CALORON_WEBHOOK_ALLOW']) ?? [],
    get log_level() {
      return logLevelOf(variables);
    },
    registry_url: variables['NOETHER_REGISTRY']?.trim() || null,
    registry_api_key: variables['NOETHER_REGISTRY_API_KEY']?.trim() || null,
    variables,
  });
}

/** The token a remote stage names by its variable; null for a variable that is not set or that no operator lists: forges' own stay with forges. */
export function credentialOf({ variables, remote_envs }: Environment, alias: string): string | null {
  return remote_envs.includes(alias) ? (variables[alias] ?? null) : null;
}

/** A variable may hold a comma list of keys; shorter parts of one may be words, characters. */
const MIN_LISTED = 16;

/** `PWD` alone is a folder. */
const SECRET_NAME =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|(?:^|_)(?:KEY|PASS|PAT)(?:$|_)|PRIVATE_?KEY|_PWD$|_DSN$/iu;
/** An address with a user, as of a database; the last `@` before its path is the one that ends the password. */
const USER = /\b([a-z][a-z0-9+.-]{0,31}):\/\/([^/\s:@?#]*)(?::([^/\s?#]*))?@/giu;

/** Passwords of the addresses in a text, as they are written and as they are meant; of web addresses without one the user, which is a token. */
function* passwordsIn(text: string): Generator<string> {
  for (const [, scheme = '', user = '', password] of text.matchAll(USER)) {
    const secret = password ?? (/^https?$/iu.test(scheme) ? user : '');
    yield secret;
    try {
      yield decodeURIComponent(secret);
    } catch {
      // A password with a lone % is meant as it is written.
    }
  }
}

/**
 * Values no trace may show: of token variables, of those whose name says that they hold a secret, passwords of addresses, and
 * the shell's token.
 */
export function secretsOf({ variables, token_envs, shell_token }: Environment): readonly string[] {
  const held = Object.entries(variables).flatMap(([name, value = '']) => {
    const passwords = [...passwordsIn(value)];
    if (!token_envs.includes(name) && !SECRET_NAME.test(name)) return passwords;
    const listed = value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part.length >= MIN_LISTED);
    return [value, ...listed, ...passwords];
  });
  return [...new Set([...held, shell_token()])].filter((value) => value !== '');
}

/** A comma list; undefined when the variable is not set. */
function namesOf(list: string | undefined): readonly string[] | undefined {
  return list
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** A list of folders as PATH has them; relative ones count from the project. */
function foldersOf(list: string | undefined, root: string): readonly string[] {
  return (list ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => resolve(root, folder));
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

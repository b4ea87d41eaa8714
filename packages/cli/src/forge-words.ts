import { createRedactor } from '@caloron/capabilities/redact';
import { checkedHost } from '@caloron/capabilities/token-hosts';
import { RepoName, TokenEnv } from '@caloron/types';

import { CliError } from './errors.ts';

/** What of a forge a command is given in words. */
export interface ForgeWords {
  readonly repo: string;
  readonly host?: string;
  readonly tokenEnv?: string;
}

/**
 * Checks what a person typed of a forge, before anything is made or asked. Throws CLI_USAGE. A token that was typed in a wrong place is not
 * shown.
 */
export function checkForgeWords({ repo, host, tokenEnv }: ForgeWords): void {
  if (!RepoName.safeParse(repo).success) {
    const problem = `--repo: expected a repository like owner/name, got ${shown(repo)}`;
    throw new CliError('CLI_USAGE', { problem }, { hint: repoHint(repo) });
  }
  if (host !== undefined && host !== '') checkHost(host);
  if (tokenEnv !== undefined && !TokenEnv.safeParse(tokenEnv).success) {
    const problem = '--token-env: expected the name of an environment variable like GITHUB_TOKEN';
    throw new CliError('CLI_USAGE', { problem }, { hint: 'export the token under that name' });
  }
}

/** The longest word that is shown again. */
const SHOWN = 100;

/** A word again, unless it is long, or may carry a credential. */
function shown(text: string): string {
  const hidden = text.includes('@') || text.length > SHOWN || createRedactor().text(text) !== text;
  return hidden ? 'something else' : JSON.stringify(text);
}

/** The addresses of a repository people copy: of its page, and to clone it. */
const ADDRESS = /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?([\w.-]+(?::\d+)?)[/:]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/i;

function repoHint(repo: string): string {
  const [, host = '', name = ''] = ADDRESS.exec(repo) ?? [];
  if (!RepoName.safeParse(name).success) return 'give the owner and the name, as in --repo acme/app';
  const elsewhere = /^(?:www\.)?github\.com$/i.test(host)
    ? ''
    : ', and --host with the API address of its forge';
  return `--repo ${name}${elsewhere}`;
}

function checkHost(host: string): void {
  try {
    checkedHost(host);
  } catch (error) {
    const problem = `--host: expected the API address of a forge, like https://git.example.org/api/v1, got ${shown(host)}`;
    const hint = 'leave --host out for github.com, and where caloron.json names the forge';
    throw new CliError('CLI_USAGE', { problem }, { cause: error, hint });
  }
}

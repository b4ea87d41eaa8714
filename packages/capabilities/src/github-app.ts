import { createHash, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { addMs, type Clock, type Timestamp, toTimestamp } from '@caloron/types';
import type { Octokit } from '@octokit/rest';
import { z } from 'zod';

import { ForgeError } from './forge-errors.ts';
import { statusOf, toForgeError } from './github-errors.ts';
import { guardedFetch } from './github-fetch.ts';
import { appTokenIdOf } from './token-id.ts';

/** A token and until when it holds; null when it has no end that is known. */
export interface TokenGrant {
  readonly token: string;
  readonly expires_at: Timestamp | null;
}

/** A token that is made when it is needed, and made anew before it ends. */
export interface MadeToken {
  /** 16 hex digits that tell it apart from others, the same after it was made anew. */
  readonly id: string;
  /** The last one made; empty before. What hides it in messages. */
  known(): string;
  /** The one to use now; another than `refused`, which the host no longer takes. Throws FORGE_APP_INVALID or FORGE_UNAVAILABLE. */
  get(refused?: string): Promise<TokenGrant>;
  /** The account its holder acts as: `slug[bot]`. Throws as `get` does. */
  login(): Promise<string>;
}

/** What tokens of apps are made with. */
export interface AppsDeps {
  /** Where the variables are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Told each token and key that no variable holds, so that it is hidden like those that one does. */
  readonly learn?: ((secret: string) => void) | undefined;
  /** An attempt that takes longer is given up; 30 000 ms when absent. */
  readonly timeout_ms?: number | undefined;
  readonly user_agent?: string | undefined;
}

/** Where a token is for. */
export interface AppTarget {
  readonly token_env: string;
  /** A checked API address. */
  readonly host: string;
  /** `owner/name`. */
  readonly repo: string;
}

/** Made anew this long before it ends: a request and a push begun with it are over by then. */
const EARLY_MS = 5 * 60_000;

const TIMEOUT_MS = 30_000;

const Made = z.object({ token: z.string().min(1), expires_at: z.string() });
const Installation = z.object({ id: z.number() });
const About = z.object({ slug: z.string().min(1) });

/** Variables that stand for a GitHub App under the name of a token's. */
export function appVariables(token_env: string): {
  readonly app_id: string;
  readonly private_key: string;
  readonly private_key_file: string;
  readonly installation_id: string;
} {
  return {
    app_id: `${token_env}_APP_ID`,
    private_key: `${token_env}_PRIVATE_KEY`,
    private_key_file: `${token_env}_PRIVATE_KEY_FILE`,
    installation_id: `${token_env}_INSTALLATION_ID`,
  };
}

/** Whether a GitHub App stands under the name of a token's variable. */
export function isApp(env: AppsDeps['env'], token_env: string): boolean {
  return textOf(env, appVariables(token_env).app_id) !== '';
}

/** Tokens of the GitHub Apps in variables; one app has one token per repository. Loads its libraries when the first is made. */
export function createApps(deps: AppsDeps): (target: AppTarget) => MadeToken {
  const made = new Map<string, MadeToken>();
  return (target) => {
    const { token_env, host, repo } = target;
    const app = readApp(deps, token_env);
    const key = `${host} ${repo} ${token_env} ${app.id} ${app.installation_id ?? ''} ${digest(app.private_key)}`;
    const known = made.get(key) ?? appToken(deps, target, app);
    made.set(key, known);
    return known;
  };
}

/** An app as its variables tell. */
interface App {
  readonly id: string;
  /** PKCS #8, PEM. */
  readonly private_key: string;
  /** Null: looked up by the repository. */
  readonly installation_id: string | null;
}

/** Throws FORGE_APP_INVALID; no value of a variable is in it. */
function readApp({ env, learn }: AppsDeps, token_env: string): App {
  const names = appVariables(token_env);
  const refuse = (reason: string, hint: string): ForgeError =>
    new ForgeError('FORGE_APP_INVALID', { token_env, reason }, { hint });
  const id = textOf(env, names.app_id);
  if (!/^[\w.-]{1,64}$/u.test(id))
    throw refuse(
      `${names.app_id} is no id of an app`,
      'it is a number, or the client id, on the page of the app',
    );
  const installation = textOf(env, names.installation_id);
  if (!/^\d{0,20}$/u.test(installation))
    throw refuse(
      `${names.installation_id} is no number`,
      'it is the last part of the address of the installation; without it the repository’s is looked up',
    );
  const file = textOf(env, names.private_key_file);
  const pem =
    textOf(env, names.private_key) ||
    keyIn(file, () =>
      refuse(
        `the file ${names.private_key_file} names cannot be read`,
        'name a .pem file this user may read',
      ),
    );
  if (pem === '')
    throw refuse(
      'it has no private key',
      `set ${names.private_key}, or ${names.private_key_file} to the path of the .pem file`,
    );
  const private_key = pkcs8(pem.replaceAll('\\n', '\n'));
  if (private_key === undefined)
    throw refuse(
      'its private key is no RSA key in PEM',
      'make a new one on the page of the app; in a variable its line breaks may be written \\n',
    );
  learn?.(pem);
  return { id, private_key, installation_id: installation === '' ? null : installation };
}

function keyIn(file: string, refusal: () => ForgeError): string {
  if (file === '') return '';
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw refusal();
  }
}

/** Undefined for what is no RSA key: GitHub takes no other. */
function pkcs8(pem: string): string | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === 'rsa'
      ? key.export({ type: 'pkcs8', format: 'pem' }).toString()
      : undefined;
  } catch {
    // What it could not be read for may quote the key.
    return undefined;
  }
}

function appToken(deps: AppsDeps, target: AppTarget, app: App): MadeToken {
  const { clock, learn } = deps;
  const { host, repo } = target;
  const [owner = '', name = ''] = repo.split('/');
  let last: TokenGrant | undefined;
  let making: Promise<TokenGrant> | undefined;
  let slug: Promise<string> | undefined;
  let client: Promise<Octokit> | undefined;
  const ask = async <T extends z.ZodType>(
    shape: T,
    doing: string,
    route: string,
    parameters: object,
  ): Promise<z.output<T>> => {
    try {
      const octokit = await (client ??= appClient(deps, target, app));
      const { status, data } = await octokit.request(route, { ...parameters });
      const parsed = shape.safeParse(data);
      if (parsed.success) return parsed.data;
      const answer = 'another shape than that of an app';
      throw new ForgeError('FORGE_ANSWER_INVALID', { host, repo, doing, status, answer });
    } catch (error) {
      throw refusalOf(error, deps, target, doing);
    }
  };
  const make = async (): Promise<TokenGrant> => {
    // Looked up each time, which is once an hour: an app that was installed anew has another.
    const installation_id =
      app.installation_id ??
      (
        await ask(
          Installation,
          'find the installation of the app',
          'GET /repos/{owner}/{repo}/installation',
          {
            owner,
            repo: name,
          },
        )
      ).id;
    const route = 'POST /app/installations/{installation_id}/access_tokens';
    // For this repository alone, whatever else the app is installed on.
    const answer = await ask(Made, 'get a token of the app', route, {
      installation_id,
      repositories: [name],
    });
    learn?.(answer.token);
    last = { token: answer.token, expires_at: toTimestamp(answer.expires_at) ?? null };
    return last;
  };
  const holds = ({ token, expires_at }: TokenGrant, refused: string | undefined): boolean =>
    token !== refused && (expires_at === null || addMs(clock.now(), EARLY_MS) < expires_at);
  return {
    id: appTokenIdOf(app, repo),
    known: () => last?.token ?? '',
    get: async (refused) => {
      if (last !== undefined && holds(last, refused)) return last;
      making ??= make().finally(() => (making = undefined));
      return making;
    },
    login: async () => {
      slug ??= ask(About, 'ask which app it is', 'GET /app', {}).then((about) => `${about.slug}[bot]`);
      try {
        return await slug;
      } catch (error) {
        slug = undefined;
        throw error;
      }
    },
  };
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Signs requests about the app with its key; a host whose clock differs is asked again with its own time. */
async function appClient(deps: AppsDeps, { host }: AppTarget, app: App): Promise<Octokit> {
  const [{ Octokit }, { createAppAuth }] = await Promise.all([
    import('@octokit/rest'),
    import('@octokit/auth-app'),
  ]);
  return new Octokit({
    authStrategy: createAppAuth,
    auth: { appId: app.id, privateKey: app.private_key },
    baseUrl: host,
    userAgent: deps.user_agent ?? 'caloron',
    log: silent,
    request: { fetch: guardedFetch({ timeout_ms: deps.timeout_ms ?? TIMEOUT_MS }), log: silent },
  });
}

/** What the host said no to, in words about the app. */
function refusalOf(error: unknown, { clock }: AppsDeps, target: AppTarget, doing: string): ForgeError {
  const { token_env, host, repo } = target;
  const invalid = (reason: string, hint: string): ForgeError =>
    new ForgeError('FORGE_APP_INVALID', { token_env, reason }, { hint });
  const told = toForgeError(error, {
    host,
    repo,
    doing,
    token: '',
    now: () => clock.now(),
    path: null,
    seen: false,
  });
  if (told.code === 'FORGE_RATE_LIMITED') return told;
  switch (statusOf(error)) {
    case 401:
      return invalid(
        `${host} does not accept what its key signed (401)`,
        `see that the id and the private key are of one app on ${host}, and that the key was not deleted there`,
      );
    case 403:
      return invalid(`${host} refuses it (403)`, 'see that the installation is not suspended');
    case 404:
    case 422:
      return invalid(
        `it is not installed on ${repo}`,
        'install it there with read and write access to contents, issues and pull requests (page of the app, Install App)',
      );
    default:
      return told;
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

function textOf(env: AppsDeps['env'], name: string): string {
  return Object.hasOwn(env, name) ? (env[name]?.trim() ?? '') : '';
}

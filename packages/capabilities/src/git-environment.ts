import { gitPassedEnvironment } from './config.ts';

/** Who reads a credential: sent to the host the git process talks to, and to nobody else. */
export interface GitCredential {
  readonly username: string;
  readonly token: string;
}

/**
 * Settings that beat whatever a repository's own config says: they come with command scope, through GIT_CONFIG_COUNT,
 * so that they reach git's own children and stay out of argv.
 * An empty credential.helper forgets the helpers of the repository, and an empty core.askPass asks nobody.
 */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.sshCommand', 'false'],
  ['core.gitProxy', ''],
  ['core.askPass', ''],
  ['core.pager', 'cat'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.quotePath', 'false'],
  ['credential.helper', ''],
  ['commit.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['push.gpgSign', 'false'],
  ['log.showSignature', 'false'],
  ['gpg.program', 'false'],
  ['gpg.ssh.program', 'false'],
  ['gpg.x509.program', 'false'],
  ['diff.submodule', 'short'],
  ['diff.ignoreSubmodules', 'all'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['push.recurseSubmodules', 'no'],
  ['http.followRedirects', 'false'],
  ['http.sslVerify', 'true'],
  // Less than a byte a second for a minute: a host at work sends keep-alives every five seconds.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
  ['protocol.ext.allow', 'never'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['init.defaultBranch', 'main'],
  ['init.templateDir', ''],
  ['advice.detachedHead', 'false'],
];

/** Reads the credential from the environment of that git process alone; printf is a builtin of sh, so no argv ever holds it. */
const HELPER =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$CALORON_GIT_USERNAME" "$CALORON_GIT_TOKEN"; }; f';

/** What the environment of a git process is made of. */
export interface GitEnvironmentOptions {
  readonly git_dir?: string | undefined;
  readonly work_tree?: string | undefined;
  readonly index_file?: string | undefined;
  readonly credential?: GitCredential | undefined;
  readonly author?: { readonly name: string; readonly email: string } | undefined;
  /** Further variables; they win over all others. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

function settingsAsVariables(settings: readonly (readonly [string, string])[]): Record<string, string> {
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [index, [key, value]] of settings.entries()) {
    variables[`GIT_CONFIG_KEY_${index}`] = key;
    variables[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return variables;
}

function identity(
  author: { readonly name: string; readonly email: string } | undefined,
): Record<string, string> {
  if (author === undefined) return {};
  return {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
  };
}

function places(options: GitEnvironmentOptions): Record<string, string> {
  return {
    ...(options.git_dir === undefined ? {} : { GIT_DIR: options.git_dir }),
    ...(options.work_tree === undefined ? {} : { GIT_WORK_TREE: options.work_tree }),
    ...(options.index_file === undefined ? {} : { GIT_INDEX_FILE: options.index_file }),
  };
}

/**
 * The whole environment of a git process: nothing of the caller's but PATH and how the network is reached.
 * HOME is a file, so that neither ~/.netrc nor ~/.config/git can be read. Only file, http and https are spoken.
 */
export function gitEnvironment(options: GitEnvironmentOptions): Record<string, string> {
  const helper = options.credential === undefined ? [] : [['credential.helper', HELPER] as const];
  return {
    ...gitPassedEnvironment(),
    HOME: '/dev/null',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_ALLOW_PROTOCOL: 'file:http:https',
    GIT_EDITOR: ':',
    GIT_SEQUENCE_EDITOR: ':',
    GIT_PAGER: 'cat',
    ...settingsAsVariables([...SETTINGS, ...helper]),
    ...identity(options.author),
    ...places(options),
    ...(options.credential === undefined
      ? {}
      : { CALORON_GIT_USERNAME: options.credential.username, CALORON_GIT_TOKEN: options.credential.token }),
    ...options.env,
  };
}

/** Subcommands that run a diff driver's programs unless told not to. */
const NO_DRIVERS: Readonly<Record<string, readonly string[]>> = {
  diff: ['--no-ext-diff', '--no-textconv'],
  log: ['--no-ext-diff', '--no-textconv'],
  show: ['--no-ext-diff', '--no-textconv'],
  'format-patch': ['--no-ext-diff', '--no-textconv'],
  blame: ['--no-textconv'],
};

/** Global options of git whose value is the next argument. */
const WITH_VALUE = new Set([
  '-c',
  '-C',
  '--git-dir',
  '--work-tree',
  '--namespace',
  '--exec-path',
  '--config-env',
]);

/** The arguments with a diff driver's programs switched off: a repository names them in its own config and attributes. */
export function withoutDrivers(args: readonly string[]): readonly string[] {
  let at = 0;
  while (at < args.length && (args[at] ?? '').startsWith('-')) at += WITH_VALUE.has(args[at] ?? '') ? 2 : 1;
  const extra = NO_DRIVERS[args[at] ?? ''];
  return extra === undefined ? args : [...args.slice(0, at + 1), ...extra, ...args.slice(at + 1)];
}

import { isAbsolute, resolve } from 'node:path';

import { findHome } from '@caloron/store';
import { DEFAULT_TOKEN_ENVS } from '@caloron/types';

import { type LogLevel, LOG_LEVELS } from './log-level.ts';
import { ShellError } from './errors.ts';

/** What a shell is started with, fully resolved. */
export interface ShellConfig {
  readonly home: string;
  /** Database file. */
  readonly db: string;
  /** Address to listen on; loopback unless asked otherwise. */
  readonly host: string;
  /** 0 finds a free one. */
  readonly port: number;
  /** From CALORON_SHELL_TOKEN; null reads or creates the token file. */
  readonly token: string | null;
  /** Variables that may hold a forge token. */
  readonly token_envs: readonly string[];
  readonly log_level: LogLevel;
  /** Script of the harness. */
  readonly harness_bin: string;
  /** How often a harness beats, in milliseconds. */
  readonly heartbeat_ms: number;
  /** Whether no agent is started without a sandbox, whatever its sprint says. */
  readonly require_sandbox: boolean;
  /** Ports that worktrees are given blocks of; both ends are part of it. */
  readonly ports: { readonly first: number; readonly last: number };
  /** The shell's own environment: source of forge tokens and of the agents' allow-list. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Flags of `caloron-shell`, unparsed. */
export interface ShellFlags {
  readonly port?: string | undefined;
  readonly host?: string | undefined;
  readonly home?: string | undefined;
  readonly requireSandbox?: boolean | undefined;
}

/** Default port of seed 001's shell. */
export const DEFAULT_PORT = 7710;

/** Seconds between heartbeats of the documented harness: 60. */
const DEFAULT_HEARTBEAT_MS = 60_000;

function wholeNumber(name: string, value: string, min: number, max: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new ShellError('SHELL_CONFIG_INVALID', {
    name,
    value,
    expected: `a whole number from ${min} to ${max}`,
  });
}

function names(name: string, value: string): readonly string[] {
  const list = value.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  const bad = list.find((item) => !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(item));
  if (bad === undefined) return list;
  throw new ShellError('SHELL_CONFIG_INVALID', {
    name,
    value: bad,
    expected: 'names of environment variables',
  });
}

function logLevel(value: string): LogLevel {
  const found = LOG_LEVELS.find((level) => level === value);
  if (found !== undefined) return found;
  throw new ShellError('SHELL_CONFIG_INVALID', {
    name: 'CALORON_LOG_LEVEL',
    value,
    expected: `one of ${LOG_LEVELS.join(', ')}`,
  });
}

function yesOrNo(name: string, value: string | undefined): boolean {
  if (value === undefined || value === '' || value === '0' || value === 'false') return false;
  if (value === '1' || value === 'true') return true;
  throw new ShellError('SHELL_CONFIG_INVALID', { name, value, expected: '1 or true, 0 or false' });
}

/** Below what Linux gives to outgoing connections (ip_local_port_range, from 32768), above what programs are usually found at. */
const DEFAULT_PORT_RANGE = '20000-29999';

function portRange(name: string, value: string): { readonly first: number; readonly last: number } {
  const [, from = '', to = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(value) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first >= 1024 && first <= last && last <= 65_535) return { first, last };
  const expected = 'two ports from 1024 to 65535 as FIRST-LAST';
  throw new ShellError('SHELL_CONFIG_INVALID', { name, value, expected });
}

/** An empty variable counts as absent. */
function present(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

function harnessBin(value: string | undefined, cwd: string): string {
  if (value === undefined) return resolve(import.meta.dirname, '../../harness/bin/caloron-harness.mjs');
  return isAbsolute(value) ? value : resolve(cwd, value);
}

/** Flags before variables before defaults. Throws SHELL_CONFIG_INVALID. */
export function readConfig(
  flags: ShellFlags,
  env: Readonly<Record<string, string | undefined>> = process.env,
  cwd: string = process.cwd(),
): ShellConfig {
  const home = findHome({ flag: flags.home, variables: env, cwd });
  const port = present(flags.port) ?? present(env['CALORON_SHELL_PORT']) ?? String(DEFAULT_PORT);
  const portName = present(flags.port) === undefined ? 'CALORON_SHELL_PORT' : '--port';
  return Object.freeze({
    home: home.dir,
    db: home.db,
    host: present(flags.host) ?? '127.0.0.1',
    port: wholeNumber(portName, port, 0, 65_535),
    token: present(env['CALORON_SHELL_TOKEN']) ?? null,
    token_envs: names(
      'CALORON_TOKEN_ENVS',
      present(env['CALORON_TOKEN_ENVS']) ?? DEFAULT_TOKEN_ENVS.join(','),
    ),
    log_level: logLevel(present(env['CALORON_LOG_LEVEL']) ?? 'info'),
    harness_bin: harnessBin(present(env['CALORON_HARNESS_BIN']), cwd),
    heartbeat_ms: wholeNumber(
      'CALORON_HEARTBEAT_MS',
      present(env['CALORON_HEARTBEAT_MS']) ?? String(DEFAULT_HEARTBEAT_MS),
      10,
      3_600_000,
    ),
    require_sandbox:
      flags.requireSandbox === true || yesOrNo('CALORON_REQUIRE_SANDBOX', env['CALORON_REQUIRE_SANDBOX']),
    ports: portRange('CALORON_PORT_RANGE', present(env['CALORON_PORT_RANGE']) ?? DEFAULT_PORT_RANGE),
    env,
  });
}
